// The token and the revocation endpoint of the provider, as a test wants them: how long tokens live, how long a spent
// refresh token is forgiven, answers that are held or lost, outages. And a journal of what they were asked and have given.
import { gate } from './gate.mjs'

const ROUTES = { '/token': 'token', '/token/revocation': 'revocation' }
const answers = gate()
const spentAt = new Map()

// `lifetime` of access tokens in seconds, `overlap` the same for spent refresh tokens, by `sub`; `outage` is a status;
// `lost` answers to refreshes end in a connection that breaks.
export const mood = { lifetime: 300, overlap: {}, outage: null, retry_after: null, lost: 0 }
export const asked = []
export const issued = []

export async function read(request) {
  let text = ''
  for await (const part of request) text += part
  return new URLSearchParams(text)
}

export async function change(request) {
  const { held, ...rest } = JSON.parse((await read(request)).get('to'))
  Object.assign(mood, rest)
  if (held !== undefined) answers.turn(!held)
  return mood
}

function fails(ctx) {
  ctx.status = mood.outage
  if (mood.retry_after !== null) ctx.set('retry-after', String(mood.retry_after))
  ctx.body = 'come back later'
}

function note(endpoint, form, ctx) {
  const token = form.refresh_token ?? form.token
  const { sub } = issued.find(({ refresh_token: known }) => token && known === token) ?? {}
  const authentication = form.client_assertion ? 'private_key_jwt' : form.client_secret ? 'client_secret_post' : 'none'
  const { grant_type, scope, audience } = form
  const how = { endpoint, sub, token, grant_type, scope, audience, authentication }
  asked.push({ ...how, status: ctx.status, error: ctx.body?.error })
}

function remember(ctx) {
  const { access_token, refresh_token, id_token, scope } = ctx.body
  const { Account: account, RotatedRefreshToken: rotated } = ctx.oidc.entities
  const how = { sub: account.accountId, grant: ctx.oidc.params.grant_type, rotated: Boolean(rotated), scope }
  issued.push({ ...how, access_token, refresh_token, id_token })
}

export async function watched(ctx, next) {
  const endpoint = ROUTES[ctx.path]
  if (!endpoint) return next()
  if (mood.outage) {
    fails(ctx)
    return note(endpoint, Object.fromEntries(await read(ctx.req)), ctx)
  }
  await next()
  const form = ctx.oidc?.body ?? {}
  note(endpoint, form, ctx)
  if (endpoint === 'token' && ctx.status === 200) remember(ctx)
  if (form.grant_type !== 'refresh_token') return
  await answers.passed()
  if (mood.lost > 0) {
    mood.lost -= 1
    ctx.respond = false
    ctx.req.socket.destroy()
  }
}

// Within the overlap a spent token is taken once more, as at Auth0; the provider itself knows of no such thing.
export function forgiving(RefreshToken) {
  const find = RefreshToken.find.bind(RefreshToken)
  RefreshToken.find = async (...args) => {
    const token = await find(...args)
    if (!token?.consumed) return token
    if (!spentAt.has(token.jti)) spentAt.set(token.jti, token.consumed * 1000)
    if (Date.now() < spentAt.get(token.jti) + 1000 * (mood.overlap[token.accountId] ?? 0)) token.consumed = undefined
    return token
  }
  return find
}
