"""The console as people use it, in a real browser: each role's main tasks, and that nobody sees what is another's."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
from api.api_world import HOUR, NOW, alert_of
from console.browsers import Person, Site, person

from plant_monitor.readings import Readings


def add(site: Site, point: str, parameter: str, value: float) -> None:
    index = site.world.plant.series_index[point, parameter]
    site.source.add(Readings.of([site.world.clock.now_ms()], [index], [value]))


def line(one: Person, point: str, parameter: str) -> Any:
    return one.page.locator(f'[data-point="{point}"] [data-parameter="{parameter}"]')


def test_nobody_sees_anything_without_signing_in(browser: Any, site: Site) -> None:
    with person(browser, site) as one:
        one.go("/console/cases")
        assert one.page.url.endswith("/login?back=/console/cases")
        one.sign_in("officer", "wrong password")
        assert "账户或密码不对" in one.text()
        one.wrong.clear()  # the 403 itself
        one.sign_in("officer")
        one.page.wait_for_url("**/console/cases")
        one.page.get_by_role("button", name="退出").click()
        assert "已退出登录" in one.text()
        one.go("/console/cases")
        assert "/login" in one.page.url


def test_the_operators_overview_tells_what_is_and_how_fresh_it_is(browser: Any, site: Site) -> None:
    with person(browser, site, "operator", "en") as one:
        cod = line(one, "plant-effluent", "cod_cr")
        cod.wait_for()
        assert "45 mg/L" in cod.inner_text()
        assert "stale" not in str(cod.get_attribute("class"))
        flow = line(one, "plant-effluent", "flow")
        assert "stale" in str(flow.get_attribute("class")), "its readings end at midnight"
        assert "! " in flow.inner_text()
        assert one.page.locator(".stage.outfall .card").count() == 3
        one.page.wait_for_selector("text=last 24 h")
        assert "cod" in one.text(".beside").lower()
        assert re.search(r"exceeded", one.text(".beside"))
        one.page.keyboard.press("Tab")
        assert one.page.evaluate("document.activeElement.textContent") == "Skip to content"


def test_a_reading_that_comes_is_seen_without_asking(browser: Any, site: Site) -> None:
    with person(browser, site, "operator", "en") as one:
        flow = line(one, "alpha-second", "flow")
        flow.wait_for()
        assert "77.5" not in flow.inner_text()
        add(site, "alpha-second", "flow", 77.5)
        flow.filter(has_text="77.5 m³/h").wait_for()
        assert "stale" not in str(flow.get_attribute("class"))


def test_a_stretch_of_a_trend_is_annotated_by_dragging_over_it(browser: Any, site: Site) -> None:
    with person(browser, site, "operator", "en", viewport={"width": 1200, "height": 900}) as one:
        one.go("/console/trends?point=plant-inlet")
        chart = one.page.locator(".chart:visible").first
        chart.locator("canvas").wait_for()
        one.page.wait_for_function(
            "document.querySelector('.chart') && getElement(document.querySelector('.chart').id.slice(1)).chart?.armed"
        )
        box = chart.bounding_box()
        y = box["y"] + box["height"] / 2
        one.page.mouse.move(box["x"] + box["width"] * 0.4, y)
        one.page.mouse.down()
        one.page.mouse.move(box["x"] + box["width"] * 0.5, y, steps=4)
        one.page.mouse.move(box["x"] + box["width"] * 0.6, y, steps=4)
        one.page.mouse.up()
        start = one.page.get_by_label("From").last
        start.wait_for()
        assert re.match(r"2026-10-0\dT\d\d:\d\d", start.input_value())
        assert one.page.get_by_label("To").last.input_value() > start.input_value()
        one.page.get_by_role("button", name="Save").click()
        one.page.locator(".form .trouble").filter(has_text=re.compile(r"\w")).wait_for()
        one.page.get_by_label("Reason").fill("probe cleaned <b>by hand</b>")
        one.page.get_by_role("button", name="Save").click()
        one.page.get_by_text("Annotation saved").wait_for()
        one.page.get_by_text("probe cleaned <b>by hand</b>").wait_for()
    (stored,) = site.world.ledger.annotations.find(points={"plant-inlet"})
    assert (stored.annotation.kind, stored.annotation.author) == ("maintenance", "operator:operator")
    assert stored.annotation.end_ms > stored.annotation.start_ms


def test_an_officer_takes_a_case_to_its_end(browser: Any, site: Site) -> None:
    number = alert_of(site.world, "alpha-outfall")
    with person(browser, site, "officer") as one:
        assert one.page.url.endswith("/console/cases"), "the overview is the operators'"
        one.page.locator(f'a[href="/console/case/{number}"]').first.click()
        one.page.wait_for_url(f"**/case/{number}")
        for action, state in (("确认", "已确认"), ("关闭", "已关闭")):
            one.page.get_by_label("说明").fill(f"第 {number} 号")
            one.page.get_by_role("button", name=action, exact=True).click()
            one.page.locator(".facts").get_by_text(state).wait_for()
        one.page.get_by_role("button", name="确认", exact=True).click()
        one.page.locator(".trouble").filter(has_text=re.compile(r"\w")).wait_for()
    steps = [(e.transition, e.actor) for e in site.world.ledger.alerts.events(number)][-2:]
    assert steps == [("acknowledged", "officer:officer"), ("closed", "officer:officer")]


def test_an_officer_reads_the_evidence_behind_a_verdict(browser: Any, site: Site) -> None:
    with person(browser, site, "officer", "en") as one:
        one.go("/console/calendar?point=plant-effluent")
        exceeded = one.page.locator("a.day.exceeded")
        exceeded.first.wait_for()
        assert exceeded.first.get_attribute("aria-label") == "2026-10-02: exceeded, 55 ≤ 50"
        exceeded.first.click()
        one.page.wait_for_url("**/evidence?*date=2026-10-02")
        one.page.locator(".explained li").first.wait_for()
        assert "55" in one.text(".explained")
        assert one.page.locator("text=daily mean").first.is_visible()
        hours = one.page.locator("td .verdict").all_inner_texts()
        assert hours.count("✕ exceeded") == 1, "the day's"
        assert hours.count("▲ above the daily limit (warning)") == 24, "an hour above a daily limit is no exceedance"
        one.go("/console/analysis")
        one.page.get_by_text("Beta-beta").first.wait_for()


def test_two_members_in_two_browsers_see_each_its_own(browser: Any, site: Site) -> None:
    for_beta = alert_of(site.world, "beta-outfall")
    with person(browser, site, "alpha", "en") as alpha, person(browser, site, "beta", "en") as beta:
        pages = ["/console/usage", "/console/trends", "/console/cases", "/console/calendar", "/console/bills"]
        pages += ["/console/bill/2026-10-02", "/console/trends?point=beta-outfall", f"/console/case/{for_beta}"]
        pages += ["/console/evidence?point=beta-outfall&parameter=chloride&date=2026-10-01", "/console/devices"]
        for path in pages:
            alpha.go(path)
            alpha.page.wait_for_function("!document.querySelector('.loading')")
            held = alpha.page.content()
            held = re.sub("point(=|%3D)beta-outfall|" + re.escape(path), "", held).lower()  # the address itself
            assert "beta" not in held, path
        beta.go("/console/usage")
        line(beta, "beta-outfall", "chloride").wait_for()
        assert "alpha" not in beta.page.content().lower()
        beta.go(f"/console/case/{for_beta}")
        beta.page.get_by_text("beta-outfall").first.wait_for()
        for one in (alpha, beta):
            one.wrong.clear()


def test_a_member_reads_its_bill_and_objects_to_a_line(browser: Any, site: Site) -> None:
    site.world.ledger.statements.issue("2026-10-02", override_reason="", now_ms=NOW, actor="operator:x")
    with person(browser, site, "alpha", "en") as one:
        one.page.get_by_text("discharged").wait_for()
        one.go("/console/bills")
        one.page.get_by_role("link", name="2026-10-02").click()
        one.page.locator(".explained li").first.wait_for()
        assert "100.00" in one.text()
        one.choose("Item", "power")
        one.page.get_by_label("Reason").fill("the pump stood still")
        one.page.get_by_role("button", name="Object").click()
        one.page.locator(".objections").get_by_text("the pump stood still").wait_for()
    (objection,) = site.world.items("alpha", "/objections")
    assert (objection["item"], objection["reason"]) == ("power", "the pump stood still")


def test_devices_and_what_was_refused(browser: Any, site: Site) -> None:
    with person(browser, site, "operator", "en") as one:
        one.go("/console/devices")
        one.page.get_by_text("<script>alert(1)</script>").wait_for()  # as text
        rows = one.page.locator("tr").all_inner_texts()
        assert any(row.startswith("plc\tmodbus-tcp\t✓ ok") for row in rows)
        assert any(row.startswith("station\tmqtt\t✕ silent\tnever") for row in rows)
        series = [row for row in rows if "plant-effluent" in row]
        assert ["✕ silent" in row for row in series] == [True, False], "what needs somebody stands first"


def test_a_session_that_ends_leads_back_to_the_login(browser: Any, site: Site) -> None:
    with person(browser, site, "operator") as one:
        site.world.ledger.users.set_disabled("operator", True, now_ms=NOW)
        one.page.wait_for_url("**/login?back=/console/", timeout=20_000)
        site.world.ledger.users.set_disabled("operator", False, now_ms=NOW)


def test_what_cannot_be_read_stays_greyed_with_the_reason(browser: Any, site: Site) -> None:
    with person(browser, site, "operator", "en") as one:
        line(one, "alpha-outfall", "cod_cr").wait_for()
        health = site.world.health
        site.world.health = {}
        one.page.locator(".trouble").filter(has_text="Could not be read").wait_for()
        assert one.page.locator(".status.stale").count() == 1
        site.world.health = health
        one.page.wait_for_selector(".status:not(.stale)")


def test_a_page_outlives_a_restart_of_the_service(browser: Any, site: Site) -> None:
    with person(browser, site, "operator", "en") as one:
        flow = line(one, "plant-inlet", "flow")
        flow.wait_for()
        site.stop()
        one.page.locator("#popup[aria-hidden=false]").wait_for()
        assert one.page.evaluate("getComputedStyle(document.querySelector('main.page')).opacity") == "0.55"
        site.start()
        one.page.locator("#popup[aria-hidden=true]").wait_for(state="attached")
        site.world.clock.set(site.world.clock.now_ms() + HOUR // 60)
        add(site, "plant-inlet", "flow", 66.5)
        flow.filter(has_text="66.5 m³/h").wait_for()
        one.wrong.clear()  # refused connections meanwhile


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_page_speaks_both_languages_in_light_and_dark(browser: Any, site: Site, language: str) -> None:
    size = {"width": 390, "height": 800}
    with person(browser, site, "operator", language, viewport=size) as one:
        one.go(f"/console/preferences?theme=dark&language={language}&back=/console/")
        for path in ("", "trends", "cases", "calendar", "analysis", "bills", "devices"):
            one.go(f"/console/{path}")
            one.page.wait_for_function("!document.querySelector('.loading')")
            assert one.page.evaluate("document.body.classList.contains('body--dark')")
            held = one.text()
            assert bool(re.search("[一-鿿]", held.replace("中文", "").replace("结算 ", ""))) == (language == "zh"), path
            wider = one.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert wider <= 0, f"{path} is wider than a phone"


def test_the_public_screen_shows_what_is_published_and_keeps_itself_fresh(browser: Any, site: Site) -> None:
    with person(browser, site) as one:
        one.go("/console/public")
        held = one.text()
        assert "化学需氧量" in held and "mg/L" in held and "余量" in held
        assert "alpha" not in one.page.content() and "beta" not in one.page.content()
        add(site, "plant-effluent", "cod_cr", 48.25)
        one.page.locator('[data-parameter="cod_cr"] .value').filter(has_text="48.25 mg/L").wait_for()
        one.page.context.set_offline(True)
        one.page.locator("#board.stale").wait_for()
        one.page.context.set_offline(False)
        one.page.locator("#board:not(.stale)").wait_for()
        one.wrong.clear()  # what could not be fetched meanwhile


def test_no_command_pays_for_the_console() -> None:
    said = "import sys, plant_monitor.cli.app; sys.exit('nicegui' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", said], check=False).returncode == 0
