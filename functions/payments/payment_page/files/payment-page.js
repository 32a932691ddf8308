// The payment page's own script: brings the card form into the chosen method and sends off what came of it.
//
// The card goes from the form's frame straight to the vault; this script sees a session's id and nothing of the card.
(() => {
  "use strict";

  const main = document.querySelector("main");
  const { locale, sessionUrl, submit } = main.dataset;
  const embedded = document.body.classList.contains("embedded");
  const status = document.getElementById("status");
  let form = null;
  let complete = false;

  const tell = (message) => { if (embedded) window.parent.postMessage({ source: "tollgate-payment", ...message }, "*"); };
  const say = (text) => { status.textContent = text; status.hidden = !text; };

  const sendOff = (element, { session_id: sessionId, proof }) => {
    element.elements.session_id.value = sessionId;
    element.elements.proof.value = proof;
    element.submit();
  };

  const mount = async (details) => {
    const place = details.querySelector("[data-card]");
    if (!place || place.dataset.mounted) return;
    place.dataset.mounted = "yes";
    const element = details.querySelector("form");
    const body = new URLSearchParams({ securityToken: element.elements.securityToken.value });
    const answer = await fetch(sessionUrl, { method: "POST", body }).catch(() => null);
    if (!answer || !answer.ok) { delete place.dataset.mounted; say(main.dataset.problem); return; }
    const session = await answer.json();
    form = window.Tollgate.init(session.session_id, { base_url: window.location.origin }).mount(place, {
      locale, submit, submit_label: details.dataset.label, title: details.querySelector("summary").textContent.trim(),
      onChange: (change) => { complete = change.complete; },
      onSessionComplete: () => sendOff(element, session),
      onUnavailable: (error) => say(error.message),
    });
    form.ready.then(() => tell({ type: "ready" }), () => {});
  };

  document.querySelectorAll("details").forEach((details) => {
    details.addEventListener("toggle", () => { if (details.open) mount(details); });
    if (details.open) mount(details);
  });

  // Told by the merchant's page, where this one is framed.
  window.addEventListener("message", ({ source, data }) => {
    if (!embedded || source !== window.parent || !data || data.target !== "tollgate-payment") return;
    if (data.type === "validate") tell({ type: "validated", success: complete || !form });
    if (data.type !== "submit") return;
    if (form) form.submit().catch((error) => tell({ type: "validated", success: false, error: error.message }));
    else document.querySelector("details[open] form")?.submit();
  });

  if (main.dataset.next) {
    if (embedded) tell({ type: "redirect", url: main.dataset.next });
    else window.location.replace(main.dataset.next);
  } else if (main.dataset.stage === "wait") {
    window.setTimeout(() => window.location.reload(), 3000);
  }
  if (embedded) {
    new ResizeObserver(() => tell({ type: "height", height: main.scrollHeight })).observe(main);
  }
})();
