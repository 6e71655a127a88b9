"""Forms of the console, with the keyboard: what is said goes through the API, with files, and is refused as there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from api.api_world import NOW, alert_of
from console.browsers import Person, Site, person

from plant_monitor.alerts.attachments import MAX_BYTES


def attach(one: Person, *files: Path) -> None:
    """Choose files, as the keyboard opens the chooser."""
    with one.page.expect_file_chooser() as chooser:
        one.press("Attach files …")
    chooser.value.set_files(list(files))


def chosen(one: Person, name: str) -> Any:
    return one.page.get_by_role("button", name=f"Remove {name}", exact=True)


def test_an_enquiry_is_asked_answered_with_files_and_closed_by_who_asked(
    browser: Any, site: Site, tmp_path: Path
) -> None:
    dial, register = tmp_path / "dial 表.jpg", tmp_path / "register.csv"
    dial.write_bytes(b"\xff\xd8 a picture")
    register.write_bytes(b"1,2")
    with person(browser, site, "alpha", "en") as alpha, person(browser, site, "operator", "en") as operator:
        alpha.go("/console/trends?point=alpha-outfall")
        alpha.page.locator("h2").filter(has_text="COD").get_by_role("link", name="Ask about this …").click()
        alpha.page.get_by_label("Question").fill("why was it <b>high</b> at night?")
        attach(alpha, dial, register)
        chosen(alpha, "register.csv").wait_for()
        alpha.press("Remove register.csv")
        chosen(alpha, "register.csv").wait_for(state="detached")
        alpha.press("Ask")
        alpha.page.get_by_text("why was it <b>high</b> at night?").first.wait_for()
        path = alpha.page.url.removeprefix(site.address)
        number = int(path.rpartition("/")[2])

        operator.go(path)
        with operator.page.expect_download() as fetched:
            operator.page.get_by_role("link", name="dial 表.jpg").click()
        assert fetched.value.suggested_filename == "dial 表.jpg"
        assert Path(fetched.value.path()).read_bytes() == dial.read_bytes()
        operator.press("Acknowledge")
        operator.page.locator(".facts").get_by_text("acknowledged").wait_for()
        operator.page.get_by_label("Comment").fill("see the register")
        attach(operator, register)
        chosen(operator, "register.csv").wait_for()
        operator.press("Reply")
        operator.page.locator(".facts").get_by_text("replied").wait_for()
        chosen(operator, "register.csv").wait_for(state="detached")

        with alpha.page.expect_download() as answer:
            alpha.page.get_by_role("link", name="register.csv").click()
        assert Path(answer.value.path()).read_bytes() == b"1,2"
        alpha.press("Close")
        alpha.page.locator(".facts").get_by_text("closed").wait_for()
    alert = site.world.ledger.alerts.get(number)
    assert alert is not None
    assert (alert.kind, alert.member, alert.point, alert.parameter) == ("enquiry", "alpha", "alpha-outfall", "cod_cr")
    steps = [(e.transition, e.actor) for e in site.world.ledger.alerts.events(number)]
    assert steps == [
        ("opened", "member:alpha"),
        ("acknowledged", "operator:operator"),
        ("replied", "operator:operator"),
        ("closed", "member:alpha"),
    ]
    with person(browser, site, "beta", "en") as beta:
        beta.go("/console/cases")
        beta.page.wait_for_function("!document.querySelector('.loading')")
        assert "alpha" not in beta.page.content().lower()
        assert beta.page.request.get(f"{site.address}/api/v1/alerts/{number}/attachments/1").status == 404


def test_what_the_api_refuses_of_an_enquiry_or_a_file_is_said(browser: Any, site: Site, tmp_path: Path) -> None:
    large, odd = tmp_path / "film.mp4", tmp_path / f"{'n' * 210}.txt"
    with large.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    odd.write_text("x")
    small = [tmp_path / f"{n}.txt" for n in range(6)]
    for one in small:
        one.write_text("x")
    with person(browser, site, "beta", "en") as one:
        one.go("/console/ask?subject=Lab&point=alpha-outfall")
        assert "alpha" not in one.text("main")
        one.press("Ask")
        trouble = one.page.locator(".form-inline > .trouble")
        trouble.filter(has_text="text: ").wait_for()
        attach(one, large)
        told = one.page.locator(".files .trouble")
        told.filter(has_text="film.mp4: larger than 2 MB").wait_for()
        attach(one, *small)
        told.filter(has_text="5.txt: at most 5").wait_for()
        one.press("Remove 0.txt")
        chosen(one, "0.txt").wait_for(state="detached")
        attach(one, odd)
        chosen(one, odd.name).wait_for()
        one.page.get_by_label("Question").fill("what is this?")
        one.press("Ask")
        trouble.filter(has_text="attachments").wait_for()
        assert site.world.items("beta", "/alerts", kind="enquiry") == []
        one.wrong.clear()
        refused = one.page.request.post(
            f"{site.address}/console/_nicegui/client/x/upload/1",
            data=bytes(MAX_BYTES * 2),
            headers={"Origin": site.address},
        )
        assert refused.status == 413


def test_an_objection_is_answered_and_decided_with_files(browser: Any, site: Site, tmp_path: Path) -> None:
    site.world.ledger.statements.issue("2026-10-02", override_reason="", now_ms=NOW, actor="operator:x")
    report = tmp_path / "report.pdf"
    report.write_bytes(b"%PDF-1.7")
    with person(browser, site, "alpha", "en") as alpha, person(browser, site, "operator", "en") as operator:
        alpha.go("/console/bill/2026-10-02")
        alpha.choose("Item", "power")
        alpha.page.get_by_label("Reason").fill("the pump stood still")
        attach(alpha, report)
        chosen(alpha, "report.pdf").wait_for()
        alpha.press("Object")
        alpha.page.locator(".objections").get_by_role("link", name="report.pdf (8 B)").wait_for()

        operator.go("/console/bill/2026-10-02")
        case = operator.page.locator(".objections li").filter(has_text="pump").get_by_role("link", name="Its case")
        case.click()
        operator.page.get_by_role("link", name="report.pdf").wait_for()
        operator.page.get_by_label("Comment").fill("it ran, see the log")
        operator.press("Close")
        operator.page.locator(".form-inline > .trouble").filter(has_text="granted or rejected").wait_for()
        operator.choose("Decision", "rejected")
        operator.press("Close")
        operator.page.locator(".facts").get_by_text("closed").wait_for()
        operator.wrong.clear()
        alpha.page.reload()
        alpha.page.locator(".objections").get_by_text("rejected").wait_for()
    decided = site.world.items("alpha", "/objections")[0]
    assert (decided["decision"], decided["state"], decided["events"][-1]["actor"]) == ("rejected", "closed", "operator")


def test_an_alert_is_offered_to_whom_it_can_be_handed(browser: Any, site: Site) -> None:
    number = alert_of(site.world, "alpha-outfall")
    with person(browser, site, "officer", "en") as one:
        one.go(f"/console/case/{number}")
        one.page.locator(".q-select").filter(has_text="For").click()
        one.page.get_by_role("option", name="Alpha").wait_for()
        assert one.page.get_by_role("option").all_inner_texts() == ["operators", "Alpha"]
        one.page.get_by_role("option", name="Alpha").click()
        one.press("Assign")
        one.page.locator(".facts").get_by_text("assigned").wait_for()
    assigned = site.world.ledger.alerts.get(number)
    assert assigned is not None and assigned.assignee == "alpha"
    with person(browser, site, "alpha", "zh") as one:
        one.go(f"/console/case/{number}")
        one.page.get_by_label("说明").fill("已查明")
        one.press("答复")
        one.page.locator(".facts").get_by_text("已答复").wait_for()
