// @actions/core asks for a job's token as a workflow's step does. The last line it prints is one JSON object; before it
// are the commands to the runner that @actions/core writes.
import * as core from '@actions/core'

const out = {}
for (const [name, audience] of Object.entries({ chosen: 'api://AzureADTokenExchange', strange: 'sts.amazonaws.com & more?', none: undefined })) {
  out[name] = await core.getIDToken(audience)
}
process.env.ACTIONS_ID_TOKEN_REQUEST_TOKEN = 'guess'
out.refused = await core.getIDToken('api://AzureADTokenExchange').catch((e) => e.message)
console.log('\n' + JSON.stringify(out))
