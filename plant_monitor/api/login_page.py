"""``/login`` and ``/logout``: a form of plain HTML that sets the session's cookie; the console needs it."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from string import Template
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from plant_monitor.api.gate import SESSION_COOKIE, session_token
from plant_monitor.api.services import ApiServices
from plant_monitor.api.throttle import LoginThrottle

HOME = "/console/"
_LARGEST_FORM = 4_096  # bytes
_POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
_WORDS = {
    "zh": {
        "title": "登录", "name": "账户", "password": "密码", "submit": "登录", "other": "English",
        "wrong": "账户或密码不对。", "wait": "尝试次数过多，请 {seconds} 秒后再试。", "out": "已退出登录。",
        "help": "账户由管理员建立：plant-monitor users add",
    },
    "en": {
        "title": "Sign in", "name": "Account", "password": "Password", "submit": "Sign in", "other": "中文",
        "wrong": "Account or password is wrong.", "wait": "Too many tries; try again in {seconds} s.",
        "out": "You are signed out.",
        "help": "Accounts are made by an administrator: plant-monitor users add",
    },
}  # fmt: skip


def login_routes(services: ApiServices) -> APIRouter:
    """The form and what it leads to."""
    router = APIRouter(include_in_schema=False)
    page = Template(files("plant_monitor.api").joinpath("page", "login.html").read_text(encoding="utf-8"))
    style = files("plant_monitor.api").joinpath("page", "login.css").read_text(encoding="utf-8")
    throttle = LoginThrottle()

    def form(request: Request, back: str, status: int = 200, told: str = "", **numbers: object) -> Response:
        language = language_of(request)
        words = _WORDS[language]
        name = services.plant.name
        text = page.substitute(
            words,
            language=language,
            plant=escape(name.zh if language == "zh" else name.en),
            told=words[told].format(**numbers) if told else "",
            back=escape(back, quote=True),
            switch=escape("?" + urlencode({"language": "en" if language == "zh" else "zh", "back": back}), quote=True),
        )
        answer = Response(text, status, {"Content-Security-Policy": _POLICY}, "text/html; charset=utf-8")
        return with_language(answer, request)

    @router.get("/login")
    async def get_login(request: Request, back: str = HOME, out: bool = False) -> Response:
        return form(request, local(back), told="out" if out else "")

    @router.get("/login/page.css")
    async def get_style() -> Response:
        return Response(style, media_type="text/css; charset=utf-8")

    @router.post("/login")
    async def post_login(request: Request) -> Response:
        fields = await _fields(request)
        name, back = fields.get("name", "").strip(), local(fields.get("back", HOME))
        address = request.client.host if request.client else ""
        wait_s = throttle.wait_s(name, address)
        if wait_s > 0:
            return form(request, back, 429, "wait", seconds=int(wait_s) + 1)
        throttle.wrong(name, address)  # until it turns out right: tries at the same time count
        token = await run_in_threadpool(
            services.ledger.users.sign_in,
            name,
            fields.get("password", ""),
            address=address,
            now_ms=services.clock.now_ms(),
        )
        if token is None:
            return form(request, back, 403, "wrong")
        throttle.right(name, address)
        answer = RedirectResponse(back, 303)
        secure = request.url.scheme == "https"
        answer.set_cookie(SESSION_COOKIE, token, httponly=True, samesite="strict", secure=secure)
        return answer

    @router.post("/logout")
    async def post_logout(request: Request) -> Response:
        token = session_token(request.scope)
        if token:
            await run_in_threadpool(services.ledger.users.sign_out, token, services.clock.now_ms())
        answer = RedirectResponse("/login?out=1", 303)
        answer.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict")
        return answer

    return router


async def _fields(request: Request) -> dict[str, str]:
    """The fields of a form, as browsers send it."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST_FORM:
            return {}
    try:
        return {name: values[0] for name, values in parse_qs(body.decode(), max_num_fields=10).items()}
    except ValueError:
        return {}


def local(path: str) -> str:
    """A path on this server; whatever may lead elsewhere becomes the console."""
    plain = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if plain else HOME


LANGUAGE_COOKIE = "plant_monitor_language"


def language_of(request: Request) -> str:
    """zh or en: as chosen, else as the browser asks."""
    chosen = request.query_params.get("language") or request.cookies.get(LANGUAGE_COOKIE)
    if chosen in _WORDS:
        return chosen
    asked = request.headers.get("accept-language", "zh")
    return "en" if asked.lower().startswith("en") else "zh"


def with_language(answer: Response, request: Request) -> Response:
    """The answer, with a choice of language kept for a year."""
    chosen = request.query_params.get("language")
    if chosen in _WORDS:
        answer.set_cookie(LANGUAGE_COOKIE, chosen, max_age=31_536_000, samesite="strict")
    return answer
