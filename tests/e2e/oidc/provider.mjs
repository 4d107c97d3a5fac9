// An OpenID Connect provider on loopback: node provider.mjs PORT REDIRECT_URI SIGNED_OUT_URI SECRET
// Anybody who signs in is believed; groups and address follow from the name. Each start has a new key.
// Beside it what a provider has that knows OAuth2 only: /plain/user and /plain/groups, for its access tokens.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import Provider from 'oidc-provider';

const [port, redirect, signedOut, secret] = process.argv.slice(2);
const plain = redirect.replace(/oidc$/, 'plain');
const jwk = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    { client_id: 'gennaker', client_secret: secret, redirect_uris: [redirect, plain], post_logout_redirect_uris: [signedOut] },
    { client_id: 'spin', token_endpoint_auth_method: 'none', redirect_uris: [signedOut] },
    { client_id: 'other', token_endpoint_auth_method: 'none', redirect_uris: [signedOut] },
  ],
  scopes: ['openid', 'offline_access', 'read'],
  features: { introspection: { enabled: true } },
  cookies: { keys: [randomUUID()] },
  jwks: { keys: [{ ...jwk, kid: randomUUID(), use: 'sig', alg: 'RS256' }] },
  pkce: { required: () => true },
  claims: { profile: ['preferred_username', 'groups'], email: ['email', 'email_verified'] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      preferred_username: id,
      groups: id === 'root' ? ['cd-admins'] : ['developers'],
      email: `${id}@${id === 'stranger' ? 'example.com' : 'example.org'}`,
      email_verified: true,
    }),
  }),
});
provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/plain/')) return next();
  const token = await provider.AccessToken.find((ctx.get('authorization') || '').replace(/^Bearer /, ''));
  if (!token) ctx.throw(401);
  ctx.body = ctx.path === '/plain/user' ? { id: token.accountId.length, login: token.accountId } : [{ slug: 'developers' }];
});
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
