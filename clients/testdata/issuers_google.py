# google-auth, in Debian's version, as on a machine of Google's: it looks for the metadata server, and reads the machine's
# account and identity token from it. Prints one JSON object.
import json, os
import google.auth
from google.auth import exceptions
from google.auth.compute_engine import _metadata
from google.auth.transport.requests import Request
from google.oauth2 import id_token

request = Request()
identity = "instance/service-accounts/default/identity"
credentials, project = google.auth.default(request=request)
out = {
    "found": _metadata.ping(request),
    "credentials": type(credentials).__module__,
    "project": project,
    "account": _metadata.get_service_account_info(request),
    "token": _metadata.get(request, identity + "?audience=https://audience.example&format=full"),
}
out["verified"] = id_token.verify_oauth2_token(out["token"], request, "https://audience.example")
try:
    _metadata.get(request, identity)
except exceptions.TransportError as e:
    out["noAudience"] = e.args[1].status
print(json.dumps(out))
