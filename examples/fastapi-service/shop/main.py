"""The application: `uvicorn --factory shop.main:application`."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from crm_core import CrmError
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from .login import Refused
from .orders import router
from .service import opened

STATUS = {
    "invalid": 422,
    "unauthenticated": 401,
    "forbidden": 403,
    "not_found": 404,
    "already_exists": 409,
    "conflict": 409,
    "rate_limited": 429,
    "unavailable": 503,
}


async def refused(_: Request, error: Exception) -> JSONResponse:
    headers = {"WWW-Authenticate": "Bearer"}
    return JSONResponse({"code": "unauthenticated"}, 401, headers)


async def failed(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, CrmError) or error.code not in STATUS:
        raise error
    fields = [{"field": one.field, "code": one.code} for one in error.fields]
    problem = {"code": error.code, "detail": error.message, "errors": fields}
    return JSONResponse(problem, STATUS[error.code])


def application(url: str | None = None, keys: str | None = None) -> FastAPI:
    """The shop's routes, and all of the CRM's under `/crm`; by `DATABASE_URL` and `CRM_KEYS`."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database = url or os.environ["DATABASE_URL"]
        async with opened(database, keys or os.environ.get("CRM_KEYS", "crm.keys.toml")) as shop:
            app.state.shop = shop
            # Here and not before: the CRM belongs to the process that serves.
            app.mount("/crm", shop.crm.asgi(worker=True))
            yield

    app = FastAPI(title="A shop", lifespan=lifespan)
    app.include_router(router)
    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(CrmError, failed)
    return app
