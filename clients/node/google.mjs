// google-auth-library and gcp-metadata as on a machine of Google's, which GCE_METADATA_HOST names, or the network's own
// address. Prints one JSON object.
import { GoogleAuth, OAuth2Client } from 'google-auth-library'
import gcp from 'gcp-metadata'

const refusal = async (f) => { try { return await f() } catch (e) { return { status: e.status ?? e.response?.status, message: e.message } } }
const out = { available: await gcp.isAvailable() }
out.project = await gcp.project('project-id')
out.account = await gcp.instance({ property: 'service-accounts/default/', params: { recursive: 'true' } })
const auth = new GoogleAuth()
const client = await auth.getIdTokenClient('https://audience.example')
out.authorization = (await client.getRequestHeaders()).get('authorization')
const idToken = out.authorization.slice('Bearer '.length)
const verified = (audience) => refusal(async () => (await new OAuth2Client().verifyIdToken({ idToken, audience })).getPayload())
out.verified = await verified('https://audience.example')
out.unverified = await verified('https://another.example')
out.standard = await gcp.instance({ property: 'service-accounts/default/identity', params: { audience: 'https://audience.example' } })
out.noAudience = await refusal(() => gcp.instance('service-accounts/default/identity'))
out.stranger = await refusal(() => gcp.instance({ property: 'service-accounts/nobody@treaty-project.iam.gserviceaccount.com/identity', params: { audience: 'x' } }))
console.log(JSON.stringify(out))
