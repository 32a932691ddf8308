"""The card form in a real browser, in a shop of another origin: a card becomes a token and the shop never sees it."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.e2e.sdk.browser import Page
from tests.e2e.stack import Stack
from vault import pans

NUMBER = "4000000000000002"
CODE = "907"
SMALLEST_TARGET = 44
SMALLEST_TEXT = 16  # what is smaller makes a phone zoom in


def tokens(stack: Stack) -> int:
    return int(stack.send("GET", "/tokens?limit=1", account="demo").json["total_items"])


class TestToken:
    def test_is_made_and_the_shop_sees_no_card(self, desk: Page, stack: Stack) -> None:
        desk.open().fill(number=NUMBER, code=CODE).press()
        desk.wait(lambda: "Thank you" in desk.result())
        assert desk.result() == "Thank you. We keep VISA 400000******0002 for you."
        assert desk.text("done") == "Card saved\nVISA •••• 0002"
        assert desk.complaints() == []
        assert NUMBER not in "".join(desk.heard()).replace(" ", "")
        assert CODE not in "".join(desk.heard())
        sent = desk.requests()
        assert [each["method"] for each in sent if each["url"].endswith("/complete-action")] == ["POST"]
        for request in sent:
            assert NUMBER not in json.dumps(request)
            assert CODE not in request.get("postData", "")
        to_the_shop = [each for each in sent if each["url"].startswith(desk.address)]
        assert {each.get("postData", "") for each in to_the_shop if each["method"] == "POST"} == {
            json.dumps({"session_id": session_of(sent)}, separators=(",", ":"))
        }

    def test_carries_what_was_typed(self, desk: Page, stack: Stack) -> None:
        desk.open().fill(number="5555555555554444", expiry="1/30", name="Ünal O’Neil").press()
        desk.wait(lambda: "Thank you" in desk.result())
        heard = [json.loads(each) for each in desk.heard()]
        (token_id,) = [each["token_id"] for each in heard if each["type"] == "success"]
        token = stack.send("GET", f"/tokens/{token_id}", account="demo").json
        assert [token[name] for name in ("scheme", "expiry_month", "expiry_year", "cardholder_name")] == [
            "Mastercard", 1, 2030, "Ünal O’Neil",
        ]  # fmt: skip

    def test_is_made_once_however_often_one_presses(self, desk: Page, stack: Stack) -> None:
        before = tokens(stack)
        desk.open().fill()
        desk.in_form("for (let n = 0; n < 5; n += 1) document.getElementById('submit').click()")
        desk.wait(lambda: "Thank you" in desk.result())
        assert tokens(stack) == before + 1

    def test_is_found_again_when_its_answer_was_lost(self, desk: Page, stack: Stack) -> None:
        before = tokens(stack)
        lose = """
          const send = window.fetch;
          window.fetch = async (url, options) => {
            const answer = await send(url, options);
            if (!String(url).endsWith("/complete-action")) return answer;
            window.isLost = true;
            throw new TypeError("lost");
          };"""
        desk.open(script=lose).fill().press()
        desk.wait(lambda: "Thank you" in desk.result())
        assert desk.in_form("return window.isLost")
        assert tokens(stack) == before + 1

    def test_can_be_made_after_the_connection_came_back(self, desk: Page) -> None:
        fail = """
          const send = window.fetch;
          window.fetch = (...call) => window.isDown ? Promise.reject(new TypeError("down")) : send(...call);"""
        desk.open(script=fail).fill()
        desk.in_form("window.isDown = true")
        desk.press().wait(lambda: desk.text("notice"))
        assert "no connection" in desk.text("notice")
        assert desk.value("number") == "4242 4242 4242 4242"
        desk.in_form("window.isDown = false")
        desk.press().wait(lambda: "Thank you" in desk.result())

    def test_is_made_by_the_pages_own_button(self, desk: Page) -> None:
        desk.open(submit="page").fill(code="12")
        assert not desk.field("submit").is_displayed()
        submit = "const done = arguments[0]; form.submit().then((made) => done(made), (error) => done(error.code))"
        desk.in_page("")
        assert desk.browser.execute_async_script(submit) == "invalid_form"
        desk.type(code="3")
        desk.in_page("")
        made = desk.browser.execute_async_script(submit)
        assert list(made) == ["token_id"]


def session_of(requests: list[dict[str, Any]]) -> str:
    (url,) = {each["url"] for each in requests if each["url"].endswith("/complete-action")}
    return str(url.split("/")[-2])


class TestSeparation:
    def test_keeps_the_page_out_of_the_frame(self, desk: Page) -> None:
        desk.open().fill()
        assert desk.in_page("return document.querySelector('iframe').contentDocument") is None
        look = "return document.querySelector('iframe').contentWindow.document.title"
        assert desk.in_page(f"try {{ {look} }} catch (error) {{ return error.name }}") == "SecurityError"

    def test_takes_no_second_word_from_the_page(self, desk: Page) -> None:
        desk.open().fill()
        desk.in_page(
            """const heard = new MessageChannel();
            heard.port1.onmessage = (event) => { window.overheard = event.data; };
            const options = { session_id: "00000000-0000-4000-8000-000000000000", theme: "dark" };
            document.querySelector("iframe").contentWindow
              .postMessage({ type: "tollgate.init", options }, "*", [heard.port2]);"""
        )
        desk.press().wait(lambda: "Thank you" in desk.result())
        assert desk.in_page("return window.overheard") is None

    def test_believes_no_other_frame(self, desk: Page) -> None:
        desk.open()
        desk.in_page(
            """const other = document.createElement("iframe");
            other.srcdoc = "<script>parent.postMessage({type: 'tollgate.loaded'}, '*')</" + "script>";
            document.body.append(other);
            window.loads = 0;
            window.addEventListener("message", () => { window.loads += 1; });"""
        )
        desk.wait(lambda: desk.in_page("return window.loads"))
        desk.fill().press().wait(lambda: "Thank you" in desk.result())

    def test_stores_nothing(self, desk: Page) -> None:
        desk.open().fill().press().wait(lambda: "Thank you" in desk.result())
        kept = "return [localStorage.length, sessionStorage.length, document.cookie]"
        assert desk.in_form(kept) == desk.in_page(kept) == [0, 0, ""]
        assert [desk.value(name) for name in ("number", "expiry", "code", "name")] == [""] * 4


class TestChecks:
    def test_name_every_empty_field_and_go_to_the_first(self, desk: Page) -> None:
        desk.open().press()
        assert desk.errors() == {
            "number": "Enter the card number",
            "expiry": "Enter the expiry date",
            "code": "Enter the security code",
        }
        assert desk.focused() == "number"
        assert not any("complete-action" in each["url"] for each in desk.requests())

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"number": "4242424242424241"}, {"number": "Check the card number"}),
            ({"number": "424242424242424"}, {"number": "Check the card number"}),
            ({"number": "0000000000000000"}, {"number": "Check the card number"}),
            ({"expiry": "1333"}, {"expiry": "Check the expiry date"}),
            ({"expiry": "04"}, {"expiry": "Check the expiry date"}),
            ({"expiry": "0120"}, {"expiry": "This card has expired"}),
            ({"code": "12"}, {"code": "The security code has 3 digits"}),
            ({"code": "1234"}, {"code": "The security code has 3 digits"}),
            ({"number": "378282246310005"}, {"code": "The security code has 4 digits"}),
            ({"name": "4242 4242 4242 4242"}, {"name": "Enter the name only, without numbers of the card"}),
        ],
    )
    def test_say_what_is_wrong(self, desk: Page, changes: dict[str, str], error: dict[str, str]) -> None:
        desk.open().fill(**changes).press()
        assert desk.errors() == error
        assert desk.focused() == next(iter(error))
        assert desk.field(next(iter(error))).get_attribute("aria-invalid") == "true"

    def test_forget_an_error_as_it_is_mended(self, desk: Page) -> None:
        desk.open().fill(number="4242424242424241").press()
        desk.field("number").send_keys(Keys.BACKSPACE, "2")
        assert desk.errors() == {}
        assert desk.field("number").get_attribute("aria-invalid") is None

    def test_show_the_reason_of_the_server(self, desk: Page) -> None:
        desk.open().fill(expiry="1299").press()
        desk.wait(desk.errors)
        assert desk.errors() == {"expiry": "This expiry date is not valid"}
        assert desk.focused() == "expiry"
        desk.clear("expiry").type(expiry="0433").press()
        desk.wait(lambda: "Thank you" in desk.result())

    def test_end_with_the_last_attempt(self, desk: Page) -> None:
        desk.open().fill(expiry="1299")
        for attempt in range(1, 6):
            desk.press()
            desk.wait(lambda attempt=attempt: "".join(desk.heard()).count('"failure"') == attempt)
        assert "no longer valid" in desk.text("notice")
        assert desk.field("submit").get_attribute("aria-disabled") == "true"

    def test_agree_with_the_server_on_every_number(self, desk: Page) -> None:
        """Each prefix of up to four digits that any scheme begins or ends with, and its neighbours, at every length."""
        edges = {edge for scheme in pans.PAN_SCHEMES for pair in scheme.prefixes for edge in pair}
        near = {f"{int(edge) + step:0{len(edge)}d}" for edge in edges for step in (-1, 0, 1)} | set("0123456789")
        lengths = range(11, 21)
        numbers = [with_check_digit(prefix, length) for prefix, length in itertools.product(sorted(near), lengths)]
        numbers += [number[:-1] + str((int(number[-1]) + 1) % 10) for number in numbers]
        desk.open()
        judged = desk.in_form(
            """const field = document.getElementById("number");
            return arguments[0].map((number) => {
              field.value = "";
              field.dispatchEvent(new InputEvent("input", { inputType: "deleteContent" }));
              field.value = number;
              field.dispatchEvent(new InputEvent("input", { inputType: "insertText" }));
              field.dispatchEvent(new FocusEvent("blur"));
              const kept = field.value.replace(/ /g, "");
              return [kept, document.getElementById("number-error").textContent === "",
                      document.getElementById("scheme").textContent];
            });""",
            numbers,
        )
        short = {"Amex": "American Express", "Diners": "Diners Club", "": "Unknown"}
        for number, (kept, is_good, scheme) in zip(numbers, judged, strict=True):
            assert number.startswith(kept), number
            assert is_good == (pans.pan_problem(kept) is None), kept
            if is_good:
                assert short.get(scheme, scheme) == pans.detect_scheme(kept), kept
        assert sum(is_good for _, is_good, _ in judged) > 200


def with_check_digit(prefix: str, length: int) -> str:
    body = prefix.ljust(length - 1, "1")
    doubled = [int(digit) * (2 if n % 2 == 0 else 1) for n, digit in enumerate(reversed(body))]
    total = sum(value - 9 if value > 9 else value for value in doubled)
    return body + str(-total % 10)


class TestTyping:
    def test_groups_numbers_as_the_card_does(self, desk: Page) -> None:
        desk.open()
        for number, shown, scheme in (
            ("4242424242424242", "4242 4242 4242 4242", "VISA"),
            ("4242-4242 4242.4242", "4242 4242 4242 4242", "VISA"),
            ("378282246310005", "3782 822463 10005", "Amex"),
            ("30569309025904", "3056 930902 5904", "Diners"),
            ("6200000000000000000", "6200 0000 0000 0000 000", "UnionPay"),
            ("6759649826438453", "6759 6498 2643 8453", ""),
            ("42424242424242424242424", "4242 4242 4242 4242 424", "VISA"),
        ):
            desk.clear("number").type(number=number)
            assert (desk.value("number"), desk.text("scheme")) == (shown, scheme)

    def test_takes_a_date_as_people_write_it(self, desk: Page) -> None:
        desk.open()
        for typed, shown in (
            ("0433", "04 / 33"),
            ("04/33", "04 / 33"),
            ("04 / 33", "04 / 33"),
            ("4", "04 / "),
            ("433", "04 / 33"),
            ("1", "1"),
            ("12", "12 / "),
            ("1/33", "01 / 33"),
            ("04/2033", "04 / 2033"),
            ("043345", "04 / 33"),
        ):
            desk.clear("expiry").type(expiry=typed)
            assert desk.value("expiry") == shown

    def test_lets_a_date_be_taken_back(self, desk: Page) -> None:
        desk.open().type(expiry="0433")
        seen = []
        for _ in range(6):
            desk.field("expiry").send_keys(Keys.BACKSPACE)
            seen.append(desk.value("expiry"))
        assert seen[-1] == ""
        assert len(set(seen)) >= 4

    def test_leaves_the_caret_where_it_was(self, desk: Page) -> None:
        desk.open().type(number="4242424242424242")
        desk.field("number").send_keys(Keys.HOME, *[Keys.ARROW_RIGHT] * 7, Keys.BACKSPACE)
        assert desk.value("number") == "4242 4424 2424 242"
        desk.field("number").send_keys("2")
        assert desk.value("number") == "4242 4242 4242 4242"

    def test_takes_a_whole_card_from_the_browsers_memory(self, desk: Page) -> None:
        """A browser fills fields by their `autocomplete` and then tells of it, all at once and with its own format."""
        desk.open()
        desk.in_form(
            """for (const [kind, value] of Object.entries(arguments[0])) {
              const field = document.querySelector(`[autocomplete="${kind}"]`);
              field.value = value;
              field.dispatchEvent(new Event("input", { bubbles: true }));
              field.dispatchEvent(new Event("change", { bubbles: true }));
            }""",
            {"cc-number": "4242424242424242", "cc-exp": "04/2033", "cc-csc": "123", "cc-name": "John Doe"},
        )
        desk.press().wait(lambda: "Thank you" in desk.result())


class TestEverybody:
    """Keyboard, screen reader, phone, language."""

    def test_fills_and_sends_the_form_by_keyboard_alone(self, desk: Page) -> None:
        desk.open()
        desk.in_page("form.focus()")
        desk.wait(lambda: desk.focused() == "number")
        keys = ActionChains(desk.browser)
        for text in ("4242424242424242", "0433", "123", "John Doe"):
            keys.send_keys(text, Keys.TAB)
        keys.send_keys(Keys.ENTER).perform()
        desk.wait(lambda: "Thank you" in desk.result())
        assert desk.focused() == "done"

    def test_gives_every_control_a_name_and_its_error(self, desk: Page) -> None:
        desk.open().press()
        tree = desk.browser.execute_cdp_cmd("Accessibility.getFullAXTree", {"frameId": frame_of(desk)})["nodes"]
        named = {
            (node["role"]["value"], node["name"]["value"]): node
            for node in tree
            if not node["ignored"] and node.get("name", {}).get("value")
        }
        for name in ("Card number", "Expiry date", "Security code", "Name on card (optional)"):
            assert ("textbox", name) in named
        assert ("button", "Save card") in named
        assert named["textbox", "Card number"]["description"]["value"] == "Enter the card number"
        assert "3 digits on the back of the card" in named["textbox", "Security code"]["description"]["value"]
        assert desk.in_form("return document.getElementById('notice').getAttribute('role')") == "alert"
        assert desk.in_page("return document.querySelector('iframe').title") == "Card details"

    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_can_be_read(self, desk: Page, theme: str) -> None:
        """Text against its ground at least 4.5 to 1, borders of fields 3 to 1 (WCAG 2.2, 1.4.3 and 1.4.11)."""
        desk.open(theme=theme).press()
        colours = desk.in_form(
            """const style = (id) => getComputedStyle(document.getElementById(id));
            const [field, error, button] = ["number", "number-error", "submit"].map(style);
            return [[field.color, field.backgroundColor], [error.color, field.backgroundColor],
                    [button.color, button.backgroundColor], [style("name").borderTopColor, field.backgroundColor]];"""
        )
        *texts, border = [contrast(*pair) for pair in colours]
        assert min(texts) >= 4.5
        assert border >= 3

    @pytest.mark.parametrize("accent", ["#ffcc00", "#003311", "#ff0066", "#777777", "#ffffff"])
    def test_can_be_read_in_the_shops_own_colour(self, desk: Page, accent: str) -> None:
        desk.open(accent=accent)
        pair = desk.in_form(
            "const own = getComputedStyle(document.getElementById('submit')); return [own.color, own.backgroundColor]"
        )
        assert contrast(*pair) >= 4.5

    def test_fits_a_phone(self, phone: Page) -> None:
        phone.open().press()
        sizes = phone.in_form(
            """return [...document.querySelectorAll("input, button")].map((each) =>
              [each.id, each.getBoundingClientRect().height, parseFloat(getComputedStyle(each).fontSize)]);"""
        )
        assert all(height >= SMALLEST_TARGET and size >= SMALLEST_TEXT for _, height, size in sizes), sizes
        overflow = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert (phone.in_form(overflow), phone.in_page(overflow)) == (0, 0)
        assert phone.in_form("return document.body.getBoundingClientRect().height") <= phone.in_page(
            "return document.querySelector('iframe').clientHeight"
        )
        modes = [phone.field(name).get_attribute("inputmode") for name in ("number", "expiry", "code")]
        assert modes == ["numeric"] * 3

    def test_takes_a_card_on_a_phone(self, phone: Page) -> None:
        phone.open().fill(number="6200000000000000000").press()
        phone.wait(lambda: "Thank you" in phone.result())
        assert "UnionPay 620000*********0000" in phone.result()

    def test_speaks_german(self, desk: Page) -> None:
        desk.open(locale="de-AT", cardholder_name="required").press()
        assert desk.errors()["name"] == "Geben Sie den Namen auf der Karte ein"
        assert desk.text("submit") == "Karte speichern"
        assert desk.in_form("return document.documentElement.lang") == "de"

    def test_has_a_text_for_everything_in_every_language(self, desk: Page) -> None:
        desk.open(locale="de")
        german = desk.in_form("return [...document.querySelectorAll('[data-text]')].map((each) => each.textContent)")
        desk.open(locale="en")
        english = desk.in_form("return [...document.querySelectorAll('[data-text]')].map((each) => each.textContent)")
        assert all(german)
        assert all(one != other for one, other in zip(german, english, strict=True))

    def test_can_do_without_a_name_and_call_the_button_otherwise(self, desk: Page) -> None:
        desk.open(cardholder_name="hidden", submit_label="Pay <b>€ 129</b>")
        assert not desk.field("name").is_displayed()
        assert desk.text("submit") == "Pay <b>€ 129</b>"


def frame_of(page: Page) -> str:
    page.in_page("")
    tree = page.browser.execute_cdp_cmd("Page.getFrameTree", {})["frameTree"]
    return str(tree["childFrames"][0]["frame"]["id"])


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two CSS colours (WCAG 2.2)."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in colour.partition("(")[2].rstrip(")").split(",")[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


class TestSessionsThatAreOver:
    def test_are_said_to_be(self, desk: Page) -> None:
        desk.open(waits=False, session_id="00000000-0000-4000-8000-000000000000")
        desk.wait(lambda: desk.text("notice"))
        assert "no longer valid" in desk.text("notice")
        assert desk.in_page("return document.getElementById('result').textContent") == desk.text("notice")

    def test_take_no_second_card(self, desk: Page) -> None:
        desk.open().fill().press().wait(lambda: "Thank you" in desk.result())
        used = session_of(desk.requests())
        desk.open(waits=False, session_id=used)
        desk.wait(lambda: desk.text("notice"))
        assert desk.field("number").get_property("readOnly")

    def test_are_no_sessions_without_an_id(self, desk: Page) -> None:
        desk.open()
        refused = desk.in_page("try { Tollgate.init('1'); } catch (error) { return [error.name, error.code]; }")
        assert refused == ["TollgateError", "invalid_session_id"]
