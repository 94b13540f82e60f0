"""The OpenAPI document, and a page that shows it; its scripts come from an installed package, not from the internet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import swagger_ui_bundle
from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from adapters.http.requests import Injected
from adapters.http.security import PUBLIC

ASSETS = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript", "start.js": "text/javascript"}
FOLDER = Path(swagger_ui_bundle.swagger_ui_path)
# The bundled Swagger UI is version 4, which doesn't support OpenAPI 3.1 but displays ours as 3.0. It fills in examples
# and sends them unless somebody clears the field: filters that hide what was asked for, one Idempotency-Key with each
# request. So an example of what may be left out is told in the parameter's description instead.
START = """
const told = ({ example, ...parameter }) =>
  ({ ...parameter, description: `${parameter.description ?? ""} Example: \\`${example}\\`` });
window.addEventListener("load", async () => {
  const description = await (await fetch("/api/v1/openapi.json")).json();
  for (const operations of Object.values(description.paths))
    for (const operation of Object.values(operations))
      operation.parameters = operation.parameters?.map((each) =>
        each.required || each.example === undefined ? each : told(each));
  SwaggerUIBundle({ spec: { ...description, openapi: "3.0.3" }, dom_id: "#page" });
});
"""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Rollcall API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/api/v1/docs/swagger-ui.css">
<script src="/api/v1/docs/swagger-ui-bundle.js"></script>
<script src="/api/v1/docs/start.js"></script>
</head>
<body>
<main id="page"></main>
<noscript>The OpenAPI document is at <a href="/api/v1/openapi.json">/api/v1/openapi.json</a>.</noscript>
</body>
</html>
"""


@get("/openapi.json", sync_to_thread=True, include_in_schema=False, opt=PUBLIC)
def openapi(description: Injected[Callable[[], bytes]]) -> Response[bytes]:
    """Return the OpenAPI document, which is made when it is first asked for."""
    return Response(description(), media_type="application/json")


@get("/docs", sync_to_thread=False, include_in_schema=False, opt=PUBLIC)
def documentation_page() -> Response[str]:
    """Return the page that shows the OpenAPI document."""
    return Response(PAGE, media_type="text/html", headers={"Content-Security-Policy": POLICY})


@get("/docs/{name:str}", sync_to_thread=False, include_in_schema=False, opt=PUBLIC)
def asset(name: FromPath[str]) -> Response[bytes]:
    """Return a style sheet or script of the page."""
    if name not in ASSETS:
        raise NotFoundException
    content = START.encode() if name == "start.js" else (FOLDER / name).read_bytes()
    return Response(content, media_type=ASSETS[name], headers={"Cache-Control": "max-age=3600"})


ROUTES = (openapi, documentation_page, asset)
