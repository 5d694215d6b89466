// @aws-sdk/credential-providers: an identity pool's keys for a guest and for a login of Entra, and a role's keys for
// a token of Entra and for a user. Each calls once what it may and once what it may not. Prints one JSON object.
import { CognitoIdentityClient, CreateIdentityPoolCommand, ListIdentityPoolsCommand } from '@aws-sdk/client-cognito-identity'
import { fromCognitoIdentityPool, fromTemporaryCredentials, fromWebToken } from '@aws-sdk/credential-providers'
import { HttpsProxyAgent } from 'https-proxy-agent'
import { readFileSync } from 'node:fs'

const env = process.env
const requestHandler = { httpsAgent: new HttpsProxyAgent(env.HTTPS_PROXY, { ca: readFileSync(env.NODE_EXTRA_CA_CERTS) }) }
const clientConfig = { region: env.AWS_REGION, requestHandler }
const identityPoolId = env.POOL
const out = {}

for (const [name, credentials] of Object.entries({
  guest: fromCognitoIdentityPool({ identityPoolId, clientConfig }),
  login: fromCognitoIdentityPool({ identityPoolId, clientConfig, logins: { [env.LOGIN]: env.TOKEN } }),
  custom: fromCognitoIdentityPool({ identityPoolId, clientConfig, logins: { [env.LOGIN]: async () => env.TOKEN }, customRoleArn: env.ROLE }),
  forged: fromCognitoIdentityPool({ identityPoolId, clientConfig, logins: { [env.LOGIN]: env.TOKEN.replace(/\.[^.]{4}([^.]+)$/, '.AAAA$1') } }),
  token: fromWebToken({ roleArn: env.ROLE, roleSessionName: 'node', webIdentityToken: env.TOKEN, clientConfig }),
  noToken: fromWebToken({ roleArn: env.ROLE, roleSessionName: 'node', webIdentityToken: 'undefined', clientConfig }),
  chained: fromTemporaryCredentials({
    params: { RoleArn: env.SECOND, RoleSessionName: 'second' }, clientConfig,
    masterCredentials: fromWebToken({ roleArn: env.ROLE, roleSessionName: 'node', webIdentityToken: env.TOKEN, clientConfig }),
  }),
})) {
  const client = new CognitoIdentityClient({ ...clientConfig, credentials })
  const call = async (command) => { try { await client.send(command); return 'done' } catch (e) { return `${e.name}: ${e.message}` } }
  out[name] = [await call(new ListIdentityPoolsCommand({ MaxResults: 1 })), await call(new CreateIdentityPoolCommand({ IdentityPoolName: 'x', AllowUnauthenticatedIdentities: false }))]
}
console.log(JSON.stringify(out))
