// Puts a transaction's payment page into a merchant's own page, as a frame or as a box in front of it.
//
//   const handler = IframeCheckoutHandler(methodConfigurationId);
//   handler.setValidationCallback(({ success, errors }) => { if (success) handler.submit(); });
//   handler.create("payment-form");            // later: handler.validate();
//
//   LightboxCheckoutHandler.startPayment(methodConfigurationId, () => { /* it could not be shown */ });
(() => {
  "use strict";

  const PAGE = new URL("/* page */");
  const SHOWN_WITHIN = 20000;

  const frameOf = (method, submit) => {
    const url = new URL(PAGE);
    if (method) url.searchParams.set("method", String(method));
    url.searchParams.set("embedded", submit);
    const frame = document.createElement("iframe");
    frame.src = url.href;
    frame.title = "Payment";
    frame.style.cssText = "display:block;width:100%;height:420px;border:0;";
    return frame;
  };

  const hear = (frame, handlers) => {
    const listener = ({ source, origin, data }) => {
      if (source !== frame.contentWindow || origin !== PAGE.origin || !data || data.source !== "tollgate-payment") return;
      if (data.type === "height") frame.style.height = `${Math.min(Math.max(Number(data.height) || 0, 60), 4000)}px`;
      if (data.type === "redirect" && /^https?:\/\//.test(data.url)) window.location.assign(data.url);
      if (Object.hasOwn(handlers, data.type)) handlers[data.type](data);
    };
    window.addEventListener("message", listener);
    return () => window.removeEventListener("message", listener);
  };

  window.IframeCheckoutHandler = (method) => {
    let frame = null;
    let onValidated = () => {};
    let onReady = () => {};
    const command = (type) => frame && frame.contentWindow.postMessage({ target: "tollgate-payment", type }, PAGE.origin);
    return {
      setValidationCallback: (callback) => { onValidated = callback; },
      setInitializeCallback: (callback) => { onReady = callback; },
      create: (container) => {
        frame = frameOf(method, "page");
        hear(frame, {
          ready: () => onReady(),
          validated: ({ success, error }) => onValidated({ success: success === true, errors: error ? [String(error)] : [] }),
        });
        document.getElementById(container).append(frame);
      },
      validate: () => command("validate"),
      submit: () => command("submit"),
    };
  };

  window.LightboxCheckoutHandler = {
    startPayment: (method, onError) => {
      const box = document.createElement("dialog");
      const frame = frameOf(method, "form");
      const close = document.createElement("button");
      close.type = "button";
      close.textContent = "×";
      close.setAttribute("aria-label", "Close");
      close.style.cssText = "display:block;margin:0 0 0 auto;min-width:44px;min-height:44px;border:0;background:none;font-size:24px;cursor:pointer;";
      box.style.cssText = "width:min(100%,34rem);max-height:95vh;padding:8px 16px 16px;border:0;border-radius:12px;overflow:auto;";
      const stop = hear(frame, { height: () => clearTimeout(timer) });
      const end = () => { stop(); clearTimeout(timer); box.remove(); };
      const timer = setTimeout(() => { end(); if (onError) onError(); }, SHOWN_WITHIN);
      close.addEventListener("click", () => box.close());
      box.addEventListener("close", end);
      box.append(close, frame);
      document.body.append(box);
      box.showModal();
    },
  };
})();
