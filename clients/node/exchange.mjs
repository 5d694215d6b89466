// @aws-sdk/client-cognito-identity and @azure/identity: a developer token becomes an Entra access token.
// Prints one JSON object.
import { CognitoIdentityClient, DescribeIdentityPoolCommand, GetOpenIdTokenForDeveloperIdentityCommand } from '@aws-sdk/client-cognito-identity'
import { ClientAssertionCredential, ClientSecretCredential } from '@azure/identity'
import { HttpsProxyAgent } from 'https-proxy-agent'
import { readFileSync } from 'node:fs'

const env = process.env
const agent = new HttpsProxyAgent(env.HTTPS_PROXY, { ca: readFileSync(env.NODE_EXTRA_CA_CERTS) })
const cognito = new CognitoIdentityClient({ region: env.AWS_REGION, requestHandler: { httpsAgent: agent } })
const { Token, IdentityId } = await cognito.send(new GetOpenIdTokenForDeveloperIdentityCommand({
  IdentityPoolId: env.POOL, Logins: { 'my.dev.provider': 'my_user_id' }, TokenDuration: 120,
}))
const out = { identity: IdentityId, cognito: Token }

const refusal = async (f) => { try { await f(); return null } catch (e) { return { name: e.name, message: e.message } } }

const scope = 'https://graph.microsoft.com/.default'
const federated = new ClientAssertionCredential(env.TENANT, env.APP, async () => Token)
out.entra = (await federated.getToken(scope)).token
out.noPool = await refusal(() => cognito.send(new DescribeIdentityPoolCommand({ IdentityPoolId: 'us-east-1:00000000-0000-0000-0000-000000000000' })))
out.wrongSecret = await refusal(() => new ClientSecretCredential(env.TENANT, env.APP, 'not the secret').getToken(scope))
console.log(JSON.stringify(out))
