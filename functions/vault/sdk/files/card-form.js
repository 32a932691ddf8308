// The hosted card form. What is typed here is checked, encrypted for the session's key and sent to this page's own
// origin; the page that frames it hears of progress and of the token, never of anything that was typed.
"use strict";
(() => {
  // ---------------------------------------------------------------- words

  const WORDS = {
    en: {
      heading: "Card details", number: "Card number", expiry: "Expiry date", expiryForm: "MM / YY",
      code: "Security code", codeHint: "3 digits on the back of the card",
      codeHintLong: "4 digits on the front of the card", name: "Name on card", optional: "(optional)",
      submit: "Save card", busy: "Saving…", done: "Card saved",
      numberMissing: "Enter the card number", numberWrong: "Check the card number",
      expiryMissing: "Enter the expiry date", expiryWrong: "Check the expiry date", expiryPast: "This card has expired",
      codeMissing: "Enter the security code", codeWrong: "The security code has {n} digits",
      nameMissing: "Enter the name on the card", nameWrong: "Enter the name only, without numbers of the card",
      invalid_card_number: "This card number is not valid", invalid_expiry_date: "This expiry date is not valid",
      invalid_security_code: "This security code is not valid",
      invalid_test_card: "Test cards are not accepted here",
      invalid_payload: "The card details could not be read. Please check them and try again.",
      offline: "There is no connection. Your card was not saved; please try again.",
      later: "This did not work. Please try again in a moment.",
      over: "This form is no longer valid. Please reload the page and start again.",
      insecure: "This page is not secure, so card details cannot be entered here.",
    },
    de: {
      heading: "Kartendaten", number: "Kartennummer", expiry: "Gültig bis", expiryForm: "MM / JJ",
      code: "Prüfziffer", codeHint: "3 Ziffern auf der Rückseite der Karte",
      codeHintLong: "4 Ziffern auf der Vorderseite der Karte", name: "Name auf der Karte", optional: "(freiwillig)",
      submit: "Karte speichern", busy: "Wird gespeichert…", done: "Karte gespeichert",
      numberMissing: "Geben Sie die Kartennummer ein", numberWrong: "Prüfen Sie die Kartennummer",
      expiryMissing: "Geben Sie das Ablaufdatum ein", expiryWrong: "Prüfen Sie das Ablaufdatum",
      expiryPast: "Diese Karte ist abgelaufen",
      codeMissing: "Geben Sie die Prüfziffer ein", codeWrong: "Die Prüfziffer hat {n} Stellen",
      nameMissing: "Geben Sie den Namen auf der Karte ein",
      nameWrong: "Geben Sie nur den Namen ein, keine Nummern der Karte",
      invalid_card_number: "Diese Kartennummer ist nicht gültig",
      invalid_expiry_date: "Dieses Ablaufdatum ist nicht gültig",
      invalid_security_code: "Diese Prüfziffer ist nicht gültig",
      invalid_test_card: "Testkarten werden hier nicht angenommen",
      invalid_payload: "Die Kartendaten konnten nicht gelesen werden. Bitte prüfen Sie sie und versuchen Sie es erneut.",
      offline: "Es besteht keine Verbindung. Die Karte wurde nicht gespeichert; bitte versuchen Sie es erneut.",
      later: "Das hat nicht geklappt. Bitte versuchen Sie es gleich noch einmal.",
      over: "Dieses Formular gilt nicht mehr. Bitte laden Sie die Seite neu und beginnen Sie von vorn.",
      insecure: "Diese Seite ist nicht sicher, daher können hier keine Kartendaten eingegeben werden.",
    },
  };
  let words = WORDS.en;

  // ---------------------------------------------------------------- what makes a card good: the server's own rules

  // Prefixes of one to four digits, "low-high" or one alone; the longest that fits decides.
  const scheme = (name, prefixes, lengths, code = 3, groups = [4, 4, 4, 4, 3]) => ({ name, prefixes, lengths, code, groups });
  const span = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => from + n);
  const SCHEMES = [
    scheme("VISA", "4", [13, 16, 19]),
    scheme("Mastercard", "51-55 2221-2720", [16]),
    scheme("American Express", "34 37", [15], 4, [4, 6, 5]),
    scheme("Discover", "6011 644-649 65", span(16, 19)),
    scheme("Diners Club", "300-305 3095 38 39", span(14, 19), 3, [4, 6, 4, 5]),
    scheme("Diners Club", "36", [14], 3, [4, 6, 4]),
    scheme("JCB", "3528-3589", span(16, 19)),
    scheme("UnionPay", "62 81", span(16, 19)),
  ];
  const UNKNOWN = scheme("Unknown", "", span(12, 19));
  const RANGES = SCHEMES.flatMap((each) => each.prefixes.split(" ").map((range) => {
    const [low, high = low] = range.split("-");
    return { low, high, scheme: each };
  })).sort((a, b) => b.low.length - a.low.length);

  const schemeOf = (digits) => {
    const fits = ({ low, high }) => {
      const start = digits.slice(0, low.length);
      return start.length === low.length && start >= low && start <= high;
    };
    return (RANGES.find(fits) || { scheme: UNKNOWN }).scheme;
  };

  const passesLuhn = (digits) => {
    let sum = 0;
    for (let n = 0; n < digits.length; n += 1) {
      const digit = Number(digits[digits.length - 1 - n]) * (n % 2 ? 2 : 1);
      sum += digit > 9 ? digit - 9 : digit;
    }
    return sum % 10 === 0;
  };

  const isCardNumber = (digits) =>
    schemeOf(digits).lengths.includes(digits.length) && /[1-9]/.test(digits) && passesLuhn(digits);

  // A month ends last in UTC-12, so a card is good until it has ended everywhere.
  const hasPassed = (year, month) => {
    const there = new Date(Date.now() - 12 * 3600 * 1000);
    return year * 12 + month < there.getUTCFullYear() * 12 + there.getUTCMonth() + 1;
  };

  // A two-digit year is of this century.
  const readExpiry = (text) => {
    const digits = onlyDigits(text);
    if (digits.length !== 4 && digits.length !== 6) return null;
    const month = Number(digits.slice(0, 2));
    const year = digits.length === 4 ? 2000 + Number(digits.slice(2)) : Number(digits.slice(2));
    return month >= 1 && month <= 12 ? { month, year } : null;
  };

  const hidesCardNumber = (name) => {
    const digits = name.normalize("NFKC").replace(/[^0-9A-Za-z]/g, "");
    return (digits.match(/[0-9]{12,}/g) || []).length > 0;
  };

  const onlyDigits = (text) => text.normalize("NFKC").replace(/[^0-9]/g, "");

  // ---------------------------------------------------------------- encryption (RFC 7516: RSA-OAEP-256 and A256GCM)

  const utf8 = (text) => new TextEncoder().encode(text);
  const base64url = (bytes) =>
    btoa(Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte)).join(""))
      .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  const encrypt = async (members, jwk) => {
    const protectedHeader = base64url(utf8(JSON.stringify({ alg: "RSA-OAEP-256", enc: "A256GCM", kid: jwk.kid })));
    const { kty, n, e } = jwk;
    const recipient = await crypto.subtle.importKey(
      "jwk", { kty, n, e }, { name: "RSA-OAEP", hash: "SHA-256" }, false, ["encrypt"],
    );
    const contentKey = crypto.getRandomValues(new Uint8Array(32));
    const nonce = crypto.getRandomValues(new Uint8Array(12));
    const cipher = await crypto.subtle.importKey("raw", contentKey, "AES-GCM", false, ["encrypt"]);
    const wrapped = await crypto.subtle.encrypt({ name: "RSA-OAEP" }, recipient, contentKey);
    contentKey.fill(0);
    const sealed = await crypto.subtle.encrypt(
      { name: "AES-GCM", iv: nonce, additionalData: utf8(protectedHeader), tagLength: 128 },
      cipher, utf8(JSON.stringify(members)),
    );
    const end = sealed.byteLength - 16;
    return [protectedHeader, base64url(wrapped), base64url(nonce), base64url(sealed.slice(0, end)),
      base64url(sealed.slice(end))].join(".");
  };

  // ---------------------------------------------------------------- the session

  const API = location.pathname.replace(/\/sdk\/card-form$/, "");
  const ANSWER_WITHIN = 25000;
  let sessionId = "";

  class Trouble extends Error {
    constructor(code) {
      super(code);
      this.code = code;
    }
  }

  const call = async (path, body) => {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), ANSWER_WITHIN);
    try {
      const answer = await fetch(`${API}/sessions/${encodeURIComponent(sessionId)}${path}`, {
        method: body ? "POST" : "GET",
        headers: body ? { "content-type": "application/json" } : {},
        body: body && JSON.stringify(body),
        cache: "no-store", credentials: "omit", redirect: "error", signal: stop.signal,
      });
      if (answer.status === 404) throw new Trouble("session_not_found");
      if (answer.status === 409) throw new Trouble("session_over");
      if (!answer.ok) throw new Trouble("service_unavailable");
      return await answer.json();
    } catch (error) {
      throw error instanceof Trouble ? error : new Trouble("no_connection");
    } finally {
      clearTimeout(timer);
    }
  };

  // The answer may be lost when the card has arrived, so the session itself is asked before the card is sent again.
  const complete = async (members) => {
    const before = await call("");
    if (before.status !== "pending") return before;
    const payload = { action: "tokenize_card", result: { enc_payload: await encrypt(members, before.data.jwk) } };
    try {
      return await call("/complete-action", payload);
    } catch (trouble) {
      if (trouble.code === "session_not_found") throw trouble;
      const after = await call("");
      if (after.status === "pending") throw trouble;
      return after;
    }
  };

  // ---------------------------------------------------------------- the form

  const at = (id) => document.getElementById(id);
  const FIELDS = ["number", "expiry", "code", "name"];
  const touched = new Set();
  let nameIs = "optional";
  let isBusy = false;
  let isOver = false;

  const problems = {
    number: () => {
      const digits = onlyDigits(at("number").value);
      if (!digits) return words.numberMissing;
      return isCardNumber(digits) ? "" : words.numberWrong;
    },
    expiry: () => {
      if (!at("expiry").value.trim()) return words.expiryMissing;
      const expiry = readExpiry(at("expiry").value);
      if (!expiry) return words.expiryWrong;
      return hasPassed(expiry.year, expiry.month) ? words.expiryPast : "";
    },
    code: () => {
      const digits = onlyDigits(at("code").value);
      if (!digits) return words.codeMissing;
      const { code } = schemeOf(onlyDigits(at("number").value));
      return digits.length === code ? "" : words.codeWrong.replace("{n}", code);
    },
    name: () => {
      if (nameIs === "hidden") return "";
      const name = at("name").value.trim();
      if (!name) return nameIs === "required" ? words.nameMissing : "";
      return hidesCardNumber(name) ? words.nameWrong : "";
    },
  };

  const show = (field, problem) => {
    at(`${field}-error`).textContent = problem;
    if (problem) at(field).setAttribute("aria-invalid", "true");
    else at(field).removeAttribute("aria-invalid");
  };

  const firstProblem = () => {
    FIELDS.forEach((field) => { touched.add(field); show(field, problems[field]()); });
    return FIELDS.find((field) => problems[field]());
  };

  const grouped = (digits, groups) => {
    const parts = [];
    let from = 0;
    for (const size of groups) {
      if (from >= digits.length) break;
      parts.push(digits.slice(from, from + size));
      from += size;
    }
    return parts.join(" ");
  };

  // Puts the field's text in order and leaves the caret behind the digit that it stood behind.
  const rewrite = (input, format) => {
    const before = onlyDigits(input.value.slice(0, input.selectionStart)).length;
    const atEnd = input.selectionStart === input.value.length;
    const text = format(onlyDigits(input.value), input.value);
    if (text === input.value) return;
    input.value = text;
    let caret = text.length;
    if (!atEnd) for (caret = 0, left = before; left > 0 && caret < text.length; caret += 1) left -= /[0-9]/.test(text[caret]);
    if (document.activeElement === input) input.setSelectionRange(caret, caret);
  };
  let left = 0;

  const formatNumber = (digits) => {
    const { lengths, groups } = schemeOf(digits);
    return grouped(digits.slice(0, Math.max(...lengths)), groups);
  };

  const formatExpiry = (isDeletion) => (digits, text) => {
    if (/^\s*[2-9]$/.test(text) || /^\s*[1-9]\s*\//.test(text)) digits = `0${digits}`;
    const month = digits.slice(0, 2);
    const year = digits.slice(2, digits.startsWith("20", 2) ? 6 : 4);
    if (month.length < 2) return month;
    return year || !isDeletion ? `${month} / ${year}` : month;
  };

  const SHORT = { "American Express": "Amex", "Diners Club": "Diners" };

  const showScheme = () => {
    const digits = onlyDigits(at("number").value);
    const { name, code } = schemeOf(digits);
    const known = name === "Unknown" ? "" : SHORT[name] || name;
    if (at("scheme").textContent !== known) {
      at("scheme").textContent = known;
      at("number").style.paddingRight = known ? `${at("scheme").offsetWidth + 18}px` : "";
    }
    at("code").placeholder = code === 4 ? "1234" : "123";
    at("code-hint").textContent = code === 4 ? words.codeHintLong : words.codeHint;
  };

  const onInput = (event) => {
    const field = event.target.id;
    const isDeletion = (event.inputType || "").startsWith("delete");
    if (field === "number") rewrite(event.target, formatNumber);
    if (field === "expiry") rewrite(event.target, formatExpiry(isDeletion));
    if (field === "code") rewrite(event.target, (digits) => digits.slice(0, 4));
    showScheme();
    at("notice").textContent = "";
    if (touched.has(field) || at(field).hasAttribute("aria-invalid")) show(field, problems[field]());
    if (field === "number" && touched.has("code") && at("code").value) show("code", problems.code());
    tellChange();
  };

  // While the button goes down nothing may move: an error that came or went under it would swallow the press.
  let isPressing = false;

  const onLeave = (event) => {
    const field = event.target.id;
    if (isPressing || !event.target.value) return;
    touched.add(field);
    show(field, problems[field]());
  };

  const setBusy = (busy) => {
    isBusy = busy;
    at("form").classList.toggle("busy", busy);
    at("form").setAttribute("aria-busy", String(busy));
    at("submit").setAttribute("aria-disabled", String(busy || isOver));
    at("submit-text").textContent = busy ? words.busy : words.submit;
    FIELDS.forEach((field) => { at(field).readOnly = busy || isOver; });
  };

  const members = () => {
    const { month, year } = readExpiry(at("expiry").value);
    const name = nameIs === "hidden" ? "" : at("name").value.trim();
    return {
      account_number: onlyDigits(at("number").value), expiry_month: month, expiry_year: year,
      security_code: onlyDigits(at("code").value), ...(name ? { cardholder_name: name } : {}),
    };
  };

  const submit = async () => {
    if (isBusy || isOver) return;
    at("notice").textContent = "";
    const wrong = firstProblem();
    if (wrong) {
      at(wrong).focus();
      tell({ type: "invalid" });
      return;
    }
    setBusy(true);
    try {
      settle(await complete(members()));
    } catch (trouble) {
      fail(trouble instanceof Trouble ? trouble.code : "service_unavailable");
    }
  };

  const settle = (answer) => {
    if (answer.status === "success") {
      succeed(answer.data.token_id);
      return;
    }
    const { reason, reason_code: code, attempts_left: attemptsLeft } = answer.data;
    refuse(code, words[code] || reason, attemptsLeft);
  };

  const FIELD_OF = {
    invalid_card_number: "number", invalid_test_card: "number", invalid_expiry_date: "expiry",
    invalid_security_code: "code",
  };

  const refuse = (code, text, attemptsLeft) => {
    isOver = attemptsLeft === 0;
    setBusy(false);
    const field = FIELD_OF[code];
    if (field) {
      show(field, text);
      at(field).focus();
    }
    if (isOver) at("notice").textContent = words.over;
    else if (!field) at("notice").textContent = text;
    tell({ type: "failure", code, reason: text, attempts_left: attemptsLeft });
  };

  const FOR_GOOD = { session_not_found: "over", session_over: "over", insecure_context: "insecure" };

  const fail = (code) => {
    isOver = code in FOR_GOOD;
    setBusy(false);
    at("notice").textContent = words[FOR_GOOD[code] || (code === "no_connection" ? "offline" : "later")];
    tell({ type: isOver ? "unavailable" : "failure", code, reason: at("notice").textContent });
  };

  const succeed = (tokenId) => {
    const digits = onlyDigits(at("number").value);
    const { name } = schemeOf(digits);
    at("done-card").textContent = `${name === "Unknown" ? "" : name} •••• ${digits.slice(-4)}`.trim();
    FIELDS.forEach((field) => { at(field).value = ""; });
    isOver = true;
    setBusy(false);
    at("form").hidden = true;
    at("done").hidden = false;
    at("done").focus({ preventScroll: true });
    tell({ type: "success", token_id: tokenId });
  };

  // ---------------------------------------------------------------- the page that frames this one

  let port = null;
  let toldChange = "";

  const tell = (message) => { if (port) port.postMessage(message); };

  const tellChange = () => {
    const change = {
      type: "change", complete: FIELDS.every((field) => !problems[field]()),
      scheme: schemeOf(onlyDigits(at("number").value)).name,
    };
    const text = JSON.stringify(change);
    if (text !== toldChange) tell(change);
    toldChange = text;
  };

  const tellHeight = () => tell({ type: "resize", height: Math.ceil(document.body.getBoundingClientRect().height) });

  // Black or white text, whichever reads better on the colour: one of them has 4.5 to 1 on any (WCAG, luminance).
  const readableOn = (colour) => {
    const [red, green, blue] = [1, 3, 5].map((n) => {
      const part = parseInt(colour.slice(n, n + 2), 16) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#000000" : "#ffffff";
  };

  const dress = ({ theme, accent }) => {
    const isDark = theme === "dark" || (theme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
    document.documentElement.classList.toggle("dark", isDark);
    if (!/^#[0-9a-f]{6}$/i.test(accent || "")) return;
    document.documentElement.style.setProperty("--accent", accent);
    document.documentElement.style.setProperty("--on-accent", readableOn(accent));
    document.documentElement.style.setProperty("--ring", `${accent}47`);
  };

  const speak = (locale, label) => {
    const language = String(locale || navigator.language || "en").slice(0, 2).toLowerCase();
    words = { ...(WORDS[language] || WORDS.en) };
    if (typeof label === "string" && label.trim()) words.submit = label.trim().slice(0, 60);
    document.documentElement.lang = WORDS[language] ? language : "en";
    document.title = words.heading;
    document.querySelectorAll("[data-text]").forEach((each) => { each.textContent = words[each.dataset.text]; });
    at("expiry").placeholder = words.expiryForm;
  };

  const arrange = (options) => {
    speak(options.locale, options.submit_label);
    dress(options);
    nameIs = ["required", "optional", "hidden"].includes(options.cardholder_name) ? options.cardholder_name : "optional";
    at("name-field").hidden = nameIs === "hidden";
    at("name-optional").hidden = nameIs !== "optional";
    at("name").required = nameIs === "required";
    at("submit").hidden = options.submit === "page";
    showScheme();
  };

  const COMMANDS = {
    submit,
    focus: () => (FIELDS.map(at).find((input) => !input.value && !input.closest("[hidden]")) || at("number")).focus(),
  };

  const begin = async (options) => {
    sessionId = String(options.session_id);
    arrange(options);
    port.onmessage = ({ data }) => { if (data && Object.hasOwn(COMMANDS, data.type)) COMMANDS[data.type](); };
    new ResizeObserver(tellHeight).observe(document.body);
    if (!window.isSecureContext || !crypto.subtle) {
      fail("insecure_context");
      return;
    }
    try {
      const session = await call("");
      if (session.status === "success") throw new Trouble("session_over");
      if (session.status === "failed") throw new Trouble("session_over");
      tell({ type: "ready" });
    } catch (trouble) {
      fail(trouble.code || "service_unavailable");
    }
  };

  // Only the framing page, only once, and from then on over a channel that nobody else holds.
  const onFirstMessage = (event) => {
    const { data, ports, source } = event;
    if (source !== window.parent || !data || data.type !== "tollgate.init" || ports.length !== 1) return;
    window.removeEventListener("message", onFirstMessage);
    [port] = ports;
    begin(data.options || {});
  };

  at("submit").addEventListener("pointerdown", () => { isPressing = true; });
  ["pointerup", "pointercancel"].forEach((type) => {
    window.addEventListener(type, () => { isPressing = false; }, true);
  });
  at("form").addEventListener("submit", (event) => { event.preventDefault(); submit(); });
  FIELDS.forEach((field) => {
    at(field).addEventListener("input", onInput);
    at(field).addEventListener("blur", onLeave);
  });
  window.addEventListener("message", onFirstMessage);
  if (window.parent !== window) window.parent.postMessage({ type: "tollgate.loaded" }, "*");
})();
