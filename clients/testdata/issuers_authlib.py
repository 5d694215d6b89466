# Authlib at an outside issuer: each way to prove who a client is, and the exchange of tokens of both clouds, which
# come from boto3 and from az. Prints one JSON object.
import asyncio, json, os, time
import boto3
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT

env = os.environ
secret, key = env["SECRET"], open(env["KEY_FILE"]).read()
EXCHANGE, BEARER, JWT = ("urn:ietf:params:oauth:" + s for s in ("grant-type:token-exchange", "grant-type:jwt-bearer", "token-type:jwt"))
endpoint = OAuth2Session().get(env["URL"] + "/.well-known/openid-configuration", withhold_token=True).json()["token_endpoint"]
want = {"scope": "read", "audience": "api://orders"}


def session(method, client="payroll", credential=secret):
    s = OAuth2Session(client, credential, token_endpoint_auth_method=method)
    s.register_client_auth_method(PrivateKeyJWT(endpoint))
    return s


pools = boto3.client("cognito-identity")
def developer(pool):
    return pools.get_open_id_token_for_developer_identity(IdentityPoolId=pool, Logins={"my.dev.provider": "ann"})

dev = developer(env["POOL"])
other = pools.create_identity_pool(IdentityPoolName="authlib-other", AllowUnauthenticatedIdentities=False, DeveloperProviderName="my.dev.provider")["IdentityPoolId"]
cognito, entra = dev["Token"], env["ENTRA"]
head, body, signature = cognito.split(".")
forged = ".".join((head, body, ("B" if signature[0] == "A" else "A") + signature[1:]))


def trade(s, token):
    return s.fetch_token(endpoint, grant_type=EXCHANGE, subject_token=token, subject_token_type=JWT, **want)

def bearer(s, token):
    return s.fetch_token(endpoint, grant_type=BEARER, assertion=token, **want)

async def asynchronously():
    async with AsyncOAuth2Client("payroll", secret, token_endpoint_auth_method="client_secret_basic") as c:
        return await c.fetch_token(endpoint, grant_type="client_credentials", **want)

def own(s):
    return trade(s, s.fetch_token(endpoint, grant_type="client_credentials", **want)["access_token"])

def replayed():
    once = PrivateKeyJWT(endpoint)
    _, _, signed = once(session("private_key_jwt", "keyed", key), "POST", endpoint, {}, "grant_type=client_credentials&scope=read&client_id=keyed")
    for _ in range(2):
        s = OAuth2Session("keyed", token_endpoint_auth_method="none")
        s.fetch_token(endpoint, body=signed, grant_type="client_credentials", auth=lambda r: r)

basic, post, keyed = session("client_secret_basic"), session("client_secret_post"), session("private_key_jwt", "keyed", key)
out = {"identity": dev["IdentityId"], "tokens": {}, "refused": {}}
for name, get in {
    "client_secret_basic": lambda: basic.fetch_token(endpoint, grant_type="client_credentials", **want),
    "client_secret_post": lambda: post.fetch_token(endpoint, grant_type="client_credentials", **want),
    "private_key_jwt": lambda: keyed.fetch_token(endpoint, grant_type="client_credentials", **want),
    "asynchronously": lambda: asyncio.run(asynchronously()),
    "exchange of cognito": lambda: trade(basic, cognito),
    "exchange of entra": lambda: trade(post, entra),
    "jwt-bearer of cognito": lambda: bearer(basic, cognito),
    "jwt-bearer of entra": lambda: bearer(post, entra),
    "exchange by key": lambda: trade(keyed, cognito),
    "a wrong secret": lambda: session("client_secret_basic", credential="guess").fetch_token(endpoint, grant_type="client_credentials", **want),
    "a replayed assertion": replayed,
    "a forged subject token": lambda: trade(basic, forged),
    "a forged assertion": lambda: bearer(basic, forged),
    "a grant that it may not use": lambda: trade(session("client_secret_basic", "plain", env["PLAIN"]), cognito),
    "a subject token of its own": lambda: own(basic),
    "another audience than accepted": lambda: trade(basic, developer(other)["Token"]),
}.items():
    try:
        out["tokens"][name] = get()
    except OAuthError as e:
        out["refused"][name] = [e.error, e.description]
print(json.dumps(out))
