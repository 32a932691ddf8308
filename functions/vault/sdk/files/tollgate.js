// The browser SDK: puts the hosted card form into a page and tells the page what came of it.
//
//   const session = Tollgate.init(sessionId, { base_url: "https://…" });
//   const form = session.mount("#card", { onSessionComplete: ({ token_id }) => … });
//
// Card details stay in the frame, which is of another origin: this script never sees them, and no page can.
(() => {
  "use strict";

  const OWN_BASE = document.currentScript ? new URL("..", document.currentScript.src).href.replace(/\/$/, "") : null;
  const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
  const LOADED_WITHIN = 20000;
  const PASSED_ON = ["locale", "theme", "accent", "cardholder_name", "submit", "submit_label"];

  /** Why there is no token: `code` for programs, `message` for people, `attempts_left` where there is a limit. */
  class TollgateError extends Error {
    constructor(code, message, attemptsLeft) {
      super(message || code);
      this.name = "TollgateError";
      this.code = code;
      this.attempts_left = attemptsLeft;
    }
  }

  const elementOf = (target) => {
    const element = typeof target === "string" ? document.querySelector(target) : target;
    if (!(element instanceof Element)) throw new TollgateError("no_such_element", "There is no element to mount the form in");
    return element;
  };

  // A frame lets the page show through only where both have the same colour scheme.
  const COLOR_SCHEMES = { dark: "dark", auto: "light dark" };

  const frameFor = (base, { title, theme }) => {
    const frame = document.createElement("iframe");
    frame.src = `${base}/sdk/card-form`;
    frame.title = title || "Card details";
    frame.setAttribute("sandbox", "allow-scripts allow-same-origin allow-forms");
    frame.setAttribute("referrerpolicy", "no-referrer");
    frame.setAttribute("allow", "");
    frame.style.cssText = "display:block;width:100%;height:340px;border:0;margin:0;";
    frame.style.colorScheme = COLOR_SCHEMES[theme] || "light";
    return frame;
  };

  /** The form in the page. `ready` resolves once a card can be typed, and rejects when none ever can. */
  class CardForm {
    constructor(sessionId, base, target, options) {
      this._options = options;
      this._origin = new URL(base).origin;
      this._sessionId = sessionId;
      this._waiting = [];
      this.ready = new Promise((resolve, reject) => Object.assign(this, { _isReady: resolve, _isNot: reject }));
      this.ready.catch(() => {});
      this._frame = frameFor(base, options);
      this._onLoaded = this._onLoaded.bind(this);
      window.addEventListener("message", this._onLoaded);
      this._timer = setTimeout(() => this._unavailable({ code: "no_connection" }), LOADED_WITHIN);
      elementOf(target).append(this._frame);
    }

    /** Send the form, as its own button does. Resolves with `{ token_id }`, rejects with a TollgateError. */
    submit() {
      return new Promise((resolve, reject) => {
        this._waiting.push({ resolve, reject });
        this.ready.then(() => this._port.postMessage({ type: "submit" }), (error) => this._reject(error));
      });
    }

    /** Put the cursor into the first empty field. */
    focus() {
      this.ready.then(() => { this._frame.focus(); this._port.postMessage({ type: "focus" }); }, () => {});
    }

    /** Take the form out of the page. */
    unmount() {
      clearTimeout(this._timer);
      window.removeEventListener("message", this._onLoaded);
      if (this._port) this._port.close();
      this._frame.remove();
      this._reject(new TollgateError("unmounted", "The form was taken out of the page"));
    }

    _onLoaded({ source, origin, data }) {
      const isOurs = source === this._frame.contentWindow && origin === this._origin;
      if (!isOurs || !data || data.type !== "tollgate.loaded") return;
      clearTimeout(this._timer);
      if (this._port) this._port.close();
      const channel = new MessageChannel();
      this._port = channel.port1;
      this._port.onmessage = (event) => this._hear(event.data);
      const options = { session_id: this._sessionId };
      PASSED_ON.forEach((name) => { if (this._options[name] !== undefined) options[name] = String(this._options[name]); });
      this._frame.contentWindow.postMessage({ type: "tollgate.init", options }, this._origin, [channel.port2]);
    }

    _hear(message) {
      const hear = {
        ready: () => this._isReady(),
        resize: () => { this._frame.style.height = `${Math.min(Math.max(Number(message.height) || 0, 40), 2000)}px`; },
        change: () => this._call("onChange", { complete: message.complete === true, scheme: String(message.scheme) }),
        invalid: () => this._reject(new TollgateError("invalid_form", "Some fields are not filled in correctly")),
        failure: () => this._failure(message),
        unavailable: () => this._unavailable(message),
        success: () => this._success({ token_id: String(message.token_id) }),
      };
      if (message && Object.hasOwn(hear, message.type)) hear[message.type]();
    }

    _success(result) {
      this._waiting.splice(0).forEach(({ resolve }) => resolve(result));
      this._call("onSessionComplete", result);
    }

    _failure({ code, reason, attempts_left: attemptsLeft }) {
      const error = new TollgateError(String(code), reason, attemptsLeft);
      this._reject(error);
      this._call("onFailure", error);
    }

    _unavailable({ code, reason }) {
      const error = new TollgateError(String(code), reason, 0);
      this._isNot(error);
      this._reject(error);
      this._call("onUnavailable", error);
    }

    _reject(error) {
      this._waiting.splice(0).forEach(({ reject }) => reject(error));
    }

    _call(name, value) {
      if (typeof this._options[name] === "function") this._options[name](value);
    }
  }

  /**
   * Begin with a session that your server opened (`POST /tokens/session`).
   * `base_url` is where the platform is; left out, it is where this script came from.
   */
  const init = (sessionId, { base_url: baseUrl = OWN_BASE } = {}) => {
    if (!UUID.test(sessionId)) throw new TollgateError("invalid_session_id", "The session id is not a UUID");
    const base = new URL(baseUrl, document.baseURI).href.replace(/\/+$/, "");
    return Object.freeze({ mount: (target, options = {}) => new CardForm(sessionId, base, target, options) });
  };

  window.Tollgate = Object.freeze({ init, TollgateError });
})();
