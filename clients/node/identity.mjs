// @azure/identity: answers each ask of ASKS with a token or an error. Prints one JSON object.
import { ClientAssertionCredential, DefaultAzureCredential, ManagedIdentityCredential, WorkloadIdentityCredential } from '@azure/identity'

const env = process.env

const managed = ({ client_id: clientId, object_id: objectId, resource_id: resourceId }) => new ManagedIdentityCredential({ clientId, objectId, resourceId })

const credentials = {
  managed,
  default: () => new DefaultAzureCredential(),
  workload: () => new WorkloadIdentityCredential(),
  // The application shows the managed identity's token.
  assertion: ({ tenant, app, client_id }) => {
    const machine = managed({ client_id })
    return new ClientAssertionCredential(tenant, app, async () => (await machine.getToken('api://AzureADTokenExchange/.default')).token)
  },
}

const out = {}
for (const ask of JSON.parse(env.ASKS)) {
  try {
    const { token, expiresOnTimestamp } = await credentials[ask.credential](ask).getToken(ask.scope)
    out[ask.name] = { token, expires_on: Math.floor(expiresOnTimestamp / 1000) }
  } catch (e) {
    out[ask.name] = { error: `${e.name}: ${e.message}` }
  }
}
console.log(JSON.stringify(out))
