// @kubernetes/client-node asks for tokens of service accounts with the kubeconfig that KUBECONFIG names. Prints one JSON
// object.
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node'

const config = new KubeConfig()
config.loadFromFile(process.env.KUBECONFIG)
const api = config.makeApiClient(CoreV1Api)
const request = async (name, namespace, spec) => {
  try {
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec }
    return await api.createNamespacedServiceAccountToken({ name, namespace, body })
  } catch (e) {
    return { code: e.code, body: typeof e.body === 'string' ? JSON.parse(e.body) : e.body }
  }
}
const audiences = ['sts.amazonaws.com']
console.log(JSON.stringify({
  own: await request('web', 'shop', { audiences, expirationSeconds: 900 }),
  bound: await request('web', 'shop', { audiences, boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'web-0', uid: '5a3c9f10-0000-4000-8000-0000000000f0' } }),
  short: await request('web', 'shop', { audiences, expirationSeconds: 60 }),
  another: await request('batch', 'shop', { audiences }),
}))
