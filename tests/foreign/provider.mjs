// A certified OpenID provider (npm `oidc-provider`) at a free port, with people in it and forms that a plain HTTP client
// can fill in. The first argument is JSON: `client_id`, `client_secret`, `redirect_uri`, `backchannel_logout_uri`,
// `audience`, `scopes`, `lifetime`, `claims` (more of them, by the person's name), `organization` (`org_id` in ID and
// access tokens, until told otherwise), `client_key` (a public JWK in the place of the secret), `apis` (what a refresh
// token is good for beside the first audience: others, with their scopes). Its issuer is its address without a trailing
// slash. Ends with its standard input.
import { createServer } from 'node:http'
import { randomBytes } from 'node:crypto'
import { exportJWK, generateKeyPair } from 'jose'
import Provider, { errors } from 'oidc-provider'
import { asked, change, forgiving, issued, mood, read, watched } from './token_endpoint.mjs'

const wanted = { claims: {}, apis: {}, ...JSON.parse(process.argv[2]) }
mood.lifetime = wanted.lifetime ?? mood.lifetime
const resources = { ...(wanted.audience && { [wanted.audience]: wanted.scopes }), ...wanted.apis }
let { organization } = wanted
const membership = () => (organization ? { org_id: organization } : {})
const people = Object.fromEntries(['ada', 'bob', 'carol', 'dan', 'eve', 'mallory'].map((name) => [name, {
  sub: `person-${name}`,
  name: name[0].toUpperCase() + name.slice(1),
  email: `${name}@example.com`,
  email_verified: true,
  ...wanted.claims[name],
}]))
const more = Object.values(wanted.claims).flatMap(Object.keys)
const { privateKey } = await generateKeyPair('RS256', { extractable: true })

// As Auth0 calls it; whoever is asked for it shows it here.
const MFA = 'http://schemas.openid.net/pape/policies/2007/06/multi-factor'

// What people are asked on their devices.
const pushes = []

// What it told the application behind the browser's back, and what came to that.
const told = []

// Its own `fetch` comes with a dispatcher that hangs up on loopback addresses, and all of this is on loopback.
async function unguarded(url, { dispatcher, ...options }) {
  const answer = await fetch(url, options)
  if (url === wanted.backchannel_logout_uri) {
    told.push({ logout_token: options.body.get('logout_token'), status: answer.status })
  }
  return answer
}

const credentials = wanted.client_key
  ? { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [wanted.client_key] } }
  : { token_endpoint_auth_method: 'client_secret_post', client_secret: wanted.client_secret }

// At Auth0 a policy of the application says which further APIs a refresh token is good for; here the login asks for them.
function withPolicy(ctx) {
  const scopes = [...(ctx.oidc.params.scope ?? '').split(' '), ...Object.values(wanted.apis).flat()]
  ctx.oidc.params.scope = [...new Set(scopes)].join(' ')
}

// What Auth0 calls `audience` is a resource here (RFC 8707); a login is for the first, a refresh for the one it names.
function resourceOf(ctx, _, granted) {
  if (granted) return ctx.oidc.body?.audience ?? wanted.audience
  return ctx.oidc.params.audience && [ctx.oidc.params.audience, ...Object.keys(wanted.apis)]
}

const configuration = {
  clients: [{
    client_id: wanted.client_id,
    ...credentials,
    redirect_uris: [wanted.redirect_uri, String(new URL('/oauth/step-up', wanted.redirect_uri))],
    backchannel_logout_uri: wanted.backchannel_logout_uri,
    backchannel_logout_session_required: Boolean(wanted.backchannel_logout_uri),
    backchannel_token_delivery_mode: 'poll',
    grant_types: ['authorization_code', 'refresh_token', 'urn:openid:params:grant-type:ciba'],
    response_types: ['code'],
  }],
  jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: 'RS256', use: 'sig', kid: 'first' }] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  findAccount: (_, id) => {
    const person = Object.values(people).find(({ sub }) => sub === id)
    return person && { accountId: id, claims: () => ({ ...person, ...membership() }) }
  },
  claims: { openid: ['sub', 'org_id', 'acr', 'amr', ...more], email: ['email', 'email_verified'], profile: ['name'] },
  conformIdTokenClaims: false,
  acrValues: [MFA],
  extraTokenClaims: membership,
  extraParams: { audience: withPolicy },
  pkce: { required: () => true },
  // A confidential client's tokens rotate near their end only, unless told; reuse ends the family either way.
  rotateRefreshToken: true,
  ttl: {
    AccessToken: () => mood.lifetime, Grant: 86400, IdToken: 300, Interaction: 600, RefreshToken: 86400, Session: 600,
  },
  interactions: { url: (_, { uid }) => `/interaction/${uid}` },
  fetch: unguarded,
  features: {
    devInteractions: { enabled: false },
    revocation: { enabled: true },
    introspection: { enabled: true },
    backchannelLogout: { enabled: true },
    ciba: {
      enabled: true,
      deliveryModes: ['poll'],
      processLoginHint: (_, hint) => JSON.parse(hint).sub,
      validateBindingMessage: () => undefined,
      validateRequestContext: () => undefined,
      verifyUserCode: () => undefined,
      triggerAuthenticationDevice: (ctx, request) => { pushes.push({ ...ctx.oidc.params, request: request.jti }) },
    },
    resourceIndicators: {
      enabled: true,
      defaultResource: resourceOf,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, resource) => {
        if (!resources[resource]) throw new errors.InvalidTarget()
        return {
          audience: resource,
          scope: resources[resource].join(' '),
          accessTokenFormat: 'jwt',
          accessTokenTTL: mood.lifetime,
          jwt: { sign: { alg: 'RS256' } },
        }
      },
    },
  },
}

async function consented({ params, session, grantId, prompt }) {
  const known = grantId && await provider.Grant.find(grantId)
  const grant = known || new provider.Grant({ accountId: session.accountId, clientId: params.client_id })
  const { missingOIDCScope, missingOIDCClaims, missingResourceScopes } = prompt.details
  if (missingOIDCScope) grant.addOIDCScope(missingOIDCScope.join(' '))
  if (missingOIDCClaims) grant.addOIDCClaims(missingOIDCClaims)
  for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {})) {
    grant.addResourceScope(resource, scopes.join(' '))
  }
  return { consent: { grantId: await grant.save() } }
}

async function outcome(interaction, form) {
  if (form.get('choice') === 'cancel') return { error: 'access_denied', error_description: 'the person said no' }
  if (interaction.prompt.name === 'consent') return consented(interaction)
  const person = people[form.get('account')]
  const again = interaction.params.acr_values?.split(' ').includes(MFA)
  return person && { login: { accountId: person.sub, ...(again ? { acr: MFA, amr: ['pwd', 'mfa'] } : { amr: ['pwd'] }) } }
}

function page(prompt) {
  const field = prompt === 'login' ? '<input name="account">' : '<p>Let Countersign act for you?</p>'
  return `<!doctype html><title>${prompt}</title><form method="post">${field}
    <button name="choice" value="go on">Go on</button> <button name="choice" value="cancel">Cancel</button></form>`
}

async function interact(request, response) {
  const interaction = await provider.interactionDetails(request, response)
  const result = request.method === 'POST' ? await outcome(interaction, await read(request)) : undefined
  if (result) return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true })
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page(interaction.prompt.name))
}

// What was handed out, so that a test can look for it where it must not be; and what has become of it.
async function fate({ refresh_token: value, ...rest }) {
  if (!value) return { state: 'none', ...rest }
  const token = await asStored(value)
  const state = !token ? 'gone' : token.consumed ? 'spent' : 'live'
  return { refresh_token: value, state, ...rest }
}

async function move(request) {
  organization = (await read(request)).get('to')
  return { organization }
}

// Somebody answers the newest question on their device.
async function answer(request) {
  const how = (await read(request)).get('how')
  const asked = await provider.BackchannelAuthenticationRequest.find(pushes.at(-1).request)
  if (how !== 'approved') {
    await provider.backchannelResult(asked, new errors.AccessDenied('the person said no'))
    return {}
  }
  const grant = new provider.Grant({ accountId: asked.accountId, clientId: asked.clientId })
  grant.addOIDCScope('openid')
  await grant.save()
  const now = Math.floor(Date.now() / 1000)
  await provider.backchannelResult(asked, grant, { amr: ['hwk', 'mfa'], authTime: now })
  return {}
}

const controls = {
  '/rig/pushes': () => pushes,
  '/rig/answer': answer,
  '/rig/issued': () => Promise.all(issued.map(fate)),
  '/rig/asked': () => asked,
  '/rig/mood': change,
  '/rig/told': () => told,
  '/rig/organization': move,
}

const server = createServer()
await new Promise((ready) => server.listen(0, '127.0.0.1', ready))
const { port } = server.address()
const issuer = `http://127.0.0.1:${port}`
// All ports of a host share its cookies, and there may be two providers at this one.
configuration.cookies.names = Object.fromEntries(['interaction', 'resume', 'session'].map((n) => [n, `_${n}_${port}`]))
const provider = new Provider(issuer, configuration)
const asStored = forgiving(provider.RefreshToken)
provider.use(watched)
const protocol = provider.callback()
server.on('request', async (request, response) => {
  if (controls[request.url]) {
    const found = await controls[request.url](request)
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(found))
  } else if (request.url.startsWith('/interaction/')) {
    await interact(request, response).catch((error) => {
      response.writeHead(error.status ?? 500, { 'content-type': 'text/plain' }).end(error.message)
    })
  } else {
    protocol(request, response)
  }
})
process.stdin.resume().on('end', () => process.exit(0))
console.log(JSON.stringify({ url: issuer }))
