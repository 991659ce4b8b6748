// A resource server that trusts nothing but the provider's keys: it verifies signature, type, issuer, audience, expiry
// and scope of every token (RFC 9068 section 4), and keeps a journal of what it was asked.
// The first argument is JSON: `issuer`, `audience`, `ahead` (seconds by which its clock is fast). Ends with its standard input.
import { createServer } from 'node:http'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { gate } from './gate.mjs'

const { issuer, audience, ahead } = JSON.parse(process.argv[2])
const discovery = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()
const keys = createRemoteJWKSet(new URL(discovery.jwks_uri))
const orders = new Map([['A-1', { id: 'A-1', customer: 'Countess', total: 1200, refunded: 0 }]])
for (let n = 1; n <= 60; n += 1) {
  orders.set(`B-${n}`, { id: `B-${n}`, customer: `Customer ${n} of 60`, total: n, refunded: 0 })
}
const parcels = new Map([['P-1', { id: 'P-1', street: 'Lovelace Road' }]])
const hours = new Map([['hours', { open: 'day and night' }]])
const journal = []
const door = gate()

// Method, address, the scope that is needed, what is looked into, and what is done.
const routes = [
  ['GET', /^\/orders\/([A-Z0-9-]+)$/, 'orders:read', orders, (order) => order],
  ['GET', /^\/orders\/([A-Z0-9-]+)\/refund$/, 'orders:refund', orders, ({ id, refunded }) => ({ id, refunded })],
  ['POST', /^\/orders\/([A-Z0-9-]+)\/refund$/, 'orders:refund', orders, refunded],
  ['GET', /^\/parcels\/([A-Z0-9-]+)$/, 'parcels:read', parcels, (parcel) => parcel],
  ['GET', /^\/(hours)$/, null, hours, (found) => found],
]

function refunded(order, body) {
  order.refunded += body.amount ?? order.total
  return { id: order.id, refunded: order.refunded }
}

async function claimsOf(request) {
  const [kind, token] = (request.headers.authorization ?? '').split(' ')
  if (kind !== 'Bearer' || !token) throw new Refused(401, 'invalid_token', 'no token')
  try {
    const currentDate = new Date(Date.now() + ahead * 1000)
    const needed = { typ: 'at+jwt', algorithms: ['RS256'], requiredClaims: ['exp', 'sub', 'jti'] }
    const checks = { issuer, audience, currentDate, ...needed }
    return (await jwtVerify(token, keys, checks)).payload
  } catch (error) {
    throw new Refused(401, 'invalid_token', error.claim ?? error.code ?? 'not verified')
  }
}

class Refused extends Error {
  constructor(status, code, reason) {
    super(reason)
    Object.assign(this, { status, code, reason })
  }
}

async function answer(request, path, body) {
  const found = routes.map(([method, pattern, ...rest]) => [method, pattern.exec(path), ...rest])
  const [, match, needed, things, serve] = found.find(([method, hit]) => method === request.method && hit) ?? []
  if (!match) throw new Refused(404, 'not_found', 'no such thing')
  const claims = await claimsOf(request)
  const entry = {
    sub: claims.sub, aud: claims.aud, scope: claims.scope ?? null, jti: claims.jti, method: request.method, path,
    idempotency_key: request.headers['idempotency-key'] ?? null,
    receipt: request.headers['approval-receipt'] ?? null,
    body,
  }
  journal.push(entry)
  if (needed && !(claims.scope ?? '').split(' ').includes(needed)) {
    entry.status = 403
    throw new Refused(403, 'insufficient_scope', needed)
  }
  const thing = things.get(match[1])
  if (!thing) throw new Refused(404, 'not_found', 'no such thing')
  const result = serve(thing, body)
  // Behind a closed gate the effect has happened and nobody hears of it.
  await door.passed()
  entry.status = 200
  return result
}

async function read(request) {
  let text = ''
  for await (const part of request) text += part
  return text ? JSON.parse(text) : {}
}

const controls = {
  'GET /calls': () => journal,
  'POST /gate': ({ open }) => door.turn(open),
}

const server = createServer(async (request, response) => {
  const path = new URL(request.url, issuer).pathname
  const send = (status, body, headers = {}) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify(body))
  }
  try {
    const body = await read(request)
    const control = controls[`${request.method} ${path}`]
    send(200, control ? control(body) : await answer(request, path, body))
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    const challenge = `Bearer error="${error.code}", error_description="${error.reason}"`
    send(error.status, { error: error.code, reason: error.reason }, { 'www-authenticate': challenge })
  }
})

server.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ url: `http://127.0.0.1:${server.address().port}` }))
})
process.stdin.resume().on('end', () => process.exit(0))
