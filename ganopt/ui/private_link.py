"""The link that makes a browser private: its page moves the token from the address into a cookie.

The token follows a # in the link. A browser sends that part to no server, so it gets into no log of requests and no
referrer, and the script removes it from the address bar and the history.
"""

from fastapi import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from ganopt.ui import access

PATH = "private"
REFUSED = "This link is not valid; open the one that the program printed when it was last started."
PAGE = f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="referrer" content="no-referrer"><title>ganopt</title>
<p>Opening the private page.</p>
<script>
const token = encodeURIComponent(location.hash.slice(1));
history.replaceState(null, "", location.pathname);
fetch(location.pathname, {{ method: "POST", headers: {{ "{access.TOKEN_HEADER}": token }} }}).then(async answer => {{
  if (answer.ok) location.replace("./");
  else document.querySelector("p").textContent = await answer.text();
}});
</script></html>
"""


async def _answer(request: Request) -> Response:
    """The page of the link, and for its script the cookie."""
    if request.method != "POST":
        return HTMLResponse(PAGE, headers={"Cache-Control": "no-store"})
    if not access.has_token(request):
        return PlainTextResponse(REFUSED, 403)
    demo, response = request.app.get_blocks(), Response(status_code=204)
    # without a path, the cookie is for the folder of the link, also behind a proxy that serves the page in a folder
    response.set_cookie(access.cookie_name(demo), demo.token, path=None, httponly=True, samesite="strict")
    return response


ROUTE = Route(f"/{PATH}", _answer, methods=["GET", "POST"])
