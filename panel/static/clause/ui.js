/* Behaviour of the components: one delegated listener per kind of event, driven by data- attributes. No inline code anywhere. */
"use strict";
(() => {
  const root = document.documentElement;
  const one = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const words = () => one("#ui-words")?.dataset ?? {};
  const typing = (target) => target.closest?.("input, textarea, select, [contenteditable]");

  /* dialogs */
  function openDialog(name) {
    const dialog = document.getElementById(name);
    if (!dialog?.showModal) return false;
    if (!dialog.open) dialog.showModal();
    all("[data-typed]", dialog).forEach(checkTyped);
    return true;
  }
  function checkTyped(input) {
    const button = one("button[type=submit]", input.form);
    if (button) button.disabled = input.value.trim() !== input.dataset.typed;
  }

  /* toasts: they leave by themselves, errors do not */
  const TOAST_MS = 6000;
  function leave(toast) {
    let timer = setTimeout(() => toast.remove(), TOAST_MS);
    const stay = () => clearTimeout(timer);
    const go = () => { stay(); timer = setTimeout(() => toast.remove(), TOAST_MS / 2); };
    toast.addEventListener("pointerenter", stay);
    toast.addEventListener("focusin", stay);
    toast.addEventListener("pointerleave", go);
    toast.addEventListener("focusout", go);
  }
  function sign(tone) { return one(`#toast-signs`)?.content.querySelector(`[data-tone=${tone}] svg`)?.cloneNode(true) ?? ""; }
  function toast(message, { tone = "info", url = "" } = {}) {
    const item = document.createElement("div");
    item.className = `toast tone-${tone}`;
    item.setAttribute("role", tone === "bad" ? "alert" : "status");
    const text = document.createElement(url ? "a" : "div");
    text.textContent = message;
    if (url) text.href = url;
    const close = document.createElement("button");
    close.type = "button"; close.className = "copy"; close.dataset.toastClose = "";
    close.setAttribute("aria-label", words().close ?? "Close");
    close.append(sign("close"));
    item.append(sign(tone), text, close);
    one("#toasts")?.append(item);
    if (tone !== "bad") leave(item);
  }

  /* copying, also where the page is not served over TLS */
  async function copy(button) {
    const text = button.dataset.copy;
    try { await navigator.clipboard.writeText(text); } catch {
      const area = document.createElement("textarea");
      area.value = text; area.className = "hush";
      button.after(area); area.select(); document.execCommand("copy"); area.remove(); button.focus();
    }
    button.dataset.copied = "";
    announce(words().copied ?? "");
    setTimeout(() => delete button.dataset.copied, 1600);
  }
  function announce(text) { const box = one("#announcer"); if (box) box.textContent = text; }

  /* countdowns, told by the server's clock */
  let ahead = 0;
  function setClock(iso) { if (iso) ahead = Date.parse(iso) - Date.now(); }
  function span(seconds) {
    const w = words(), abs = Math.floor(Math.abs(seconds));
    const h = Math.floor(abs / 3600), m = Math.floor((abs % 3600) / 60), s = abs % 60;
    const parts = h >= 72 ? [[Math.floor(h / 24), w.d], [h % 24, w.h]] : h ? [[h, w.h], [m, w.min]] : m >= 10 ? [[m, w.min]] : [[m, w.min], [s, w.s]];
    return parts.filter(([n]) => n).map(([n, unit]) => `${n}\u00a0${unit}`).join(" ") || `0\u00a0${parts.at(-1)[1]}`;
  }
  function tick() {
    for (const box of all("[data-countdown]")) {
      const left = (Date.parse(box.dataset.countdown) - (Date.now() + ahead)) / 1000;
      const label = one(".countdown-left", box), w = words();
      const text = (left < 0 ? w.overdue : w.left).replace("{}", span(left));
      if (label.textContent !== text) label.textContent = text;
      const tone = left <= +box.dataset.bad ? "bad" : left <= +box.dataset.warn ? "warn" : "neutral";
      box.classList.remove("tone-bad", "tone-warn", "tone-neutral");
      box.classList.add(`tone-${tone}`);
    }
  }

  /* charts: a cross-hair that reads the figure's own table */
  function cross(area, x) {
    const figure = area.closest("[data-chart]"), rows = all("[data-chart-table] tbody tr", figure);
    if (!rows.length) return;
    const box = area.getBoundingClientRect(), bars = !!one(".bar", area), n = rows.length;
    const share = Math.min(1, Math.max(0, (x - box.left) / box.width));
    const index = bars ? Math.min(n - 1, Math.floor(share * n)) : Math.round(share * (n - 1));
    const at = bars ? (index + 0.5) / n : n > 1 ? index / (n - 1) : 0;
    const line = one(".chart-cross", area) ?? area.appendChild(Object.assign(document.createElement("i"), { className: "chart-cross" }));
    const tip = one(".chart-tip", area) ?? area.appendChild(Object.assign(document.createElement("div"), { className: "chart-tip" }));
    const heads = all("[data-chart-table] thead th", figure).slice(1).map((th) => th.textContent);
    const cells = [...rows[index].cells].map((cell) => cell.textContent);
    tip.replaceChildren(...[cells[0], ...heads.map((head, i) => `${head}: ${cells[i + 1]}`)].map((text, i) => {
      const row = document.createElement(i ? "div" : "b"); row.textContent = text; return row;
    }));
    line.style.left = `${at * 100}%`;
    const left = at * box.width;
    tip.style.left = `${left + tip.offsetWidth + 12 > box.width ? Math.max(0, left - tip.offsetWidth - 8) : left + 8}px`;
  }
  const uncross = (area) => all(".chart-cross, .chart-tip", area).forEach((mark) => mark.remove());

  /* theme: at once, then kept by the server */
  function setTheme(form, button) {
    root.dataset.theme = button.value;
    all("[data-theme-form] button").forEach((each) => each.setAttribute("aria-pressed", String(each.value === button.value)));
    const body = new FormData(form);
    body.set("theme", button.value);
    fetch(form.action, { method: "POST", body, headers: { "X-Requested-With": "clause" } }).catch(() => {});
  }

  /* what a click means */
  document.addEventListener("click", (event) => {
    const hit = (name) => event.target.closest(`[${name}]`);
    const opener = hit("data-dialog-open"), closer = hit("data-dialog-close"), copier = hit("data-copy"), reveal = hit("data-reveal");
    all("details[data-menu][open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
    if (opener && openDialog(opener.dataset.dialogOpen)) {
      event.preventDefault();
      const menu = opener.closest("details[data-menu]");
      if (menu) menu.open = false;
    } else if (closer) {
      event.preventDefault();
      closer.closest("dialog").close();
    } else if (copier) {
      copy(copier);
    } else if (reveal) {
      const input = one("input", reveal.parentElement), shown = input.type === "text";
      input.type = shown ? "password" : "text";
      reveal.setAttribute("aria-pressed", String(!shown));
      reveal.toggleAttribute("data-copied", !shown);
    } else if (hit("data-toast-close")) {
      event.target.closest(".toast").remove();
    } else if (hit("data-print")) {
      window.print();
    } else if (event.target.matches?.("dialog[open]")) {
      const box = event.target.getBoundingClientRect();
      if (event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom) event.target.close();
    }
  });

  document.addEventListener("input", (event) => {
    if (event.target.matches("[data-typed]")) checkTyped(event.target);
  });
  document.addEventListener("change", (event) => {
    const target = event.target;
    if (target.matches("[data-shortcuts-switch]")) { try { localStorage.setItem("shortcuts", target.checked ? "on" : "off"); } catch { /* private window */ } }
    if (target.matches("[data-submits]")) target.form.requestSubmit();
    if (target.matches("[data-select-all]")) { all(`input[name="${target.dataset.selectAll}"]`).forEach((box) => { box.checked = target.checked; }); }
    const group = target.closest("[data-selection]");
    if (group) all("[data-selected-count]").forEach((text) => { text.textContent = String(all("tbody input[type=checkbox]:checked", group).length); });
  });

  /* a form is sent once */
  document.addEventListener("submit", (event) => {
    const form = event.target, button = event.submitter;
    if (form.matches("[data-theme-form]") && button) { event.preventDefault(); setTheme(form, button); return; }
    if (form.method === "dialog" || form.method === "get") return;
    if (form.dataset.sent !== undefined) { event.preventDefault(); return; }
    form.dataset.sent = "";
    setTimeout(() => { if (button && !event.defaultPrevented) { button.setAttribute("aria-busy", "true"); button.disabled = true; } }, 0);
  });
  function release(form) {
    delete form.dataset.sent;
    all("button[aria-busy=true]", form).forEach((button) => { button.disabled = false; button.removeAttribute("aria-busy"); });
    all("[data-typed]", form).forEach(checkTyped);
  }
  addEventListener("pageshow", () => all("form[data-sent]").forEach(release));
  document.addEventListener("htmx:afterRequest", (event) => { const form = event.target.closest?.("form"); if (form) release(form); });
  document.addEventListener("htmx:afterSwap", (event) => { all("[data-typed]").forEach(checkTyped); setClock(one("[data-now]", event.target)?.dataset.now); tick(); ready(event.target); });
  for (const name of ["htmx:responseError", "htmx:sendError"]) document.addEventListener(name, (event) => {
    if (!event.target.closest("[data-live]")) toast(words().failed ?? "", { tone: "bad" });
  });
  document.addEventListener("toast", (event) => toast(event.detail.message ?? event.detail.value, event.detail));

  /* charts under the pointer or the finger */
  document.addEventListener("pointermove", (event) => {
    const area = event.target.closest?.("[data-chart-area]");
    all("[data-chart-area]").forEach((other) => { if (other !== area && one(".chart-tip", other)) uncross(other); });
    if (area) cross(area, event.clientX);
  }, { passive: true });

  /* keyboard */
  const shortcutsOn = () => { try { return localStorage.getItem("shortcuts") !== "off"; } catch { return true; } };
  let waitingForGo = 0;
  function move(step) {
    const links = all("[data-rows] tbody th a, [data-rows] tbody a.title");
    if (links.length) links[Math.min(links.length - 1, Math.max(0, links.indexOf(document.activeElement) + step))].focus();
  }
  function choose(event) {
    const links = all("#palette .palette-list a"), now = links.findIndex((link) => link.dataset.chosen !== undefined);
    if (event.key === "Enter") { event.preventDefault(); (links[now] ?? links[0])?.click(); return; }
    const next = links[(now + (event.key === "ArrowDown" ? 1 : -1) + links.length) % links.length];
    event.preventDefault();
    links.forEach((link) => delete link.dataset.chosen);
    if (next) { next.dataset.chosen = ""; next.scrollIntoView({ block: "nearest" }); }
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { const menu = one("details[data-menu][open]"); if (menu) { menu.open = false; one("summary", menu).focus(); } }
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k" && openDialog("palette")) { event.preventDefault(); return; }
    if (event.target.matches?.(".palette-search input") && ["ArrowDown", "ArrowUp", "Enter"].includes(event.key)) { choose(event); return; }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || one("dialog[open]") || !shortcutsOn()) return;
    if (Date.now() - waitingForGo < 1200) { waitingForGo = 0; one(`[data-go="${CSS.escape(event.key)}"]`)?.click(); return; }
    const deeds = { "/": () => openDialog("palette"), "?": () => openDialog("keys"), g: () => { waitingForGo = Date.now(); }, j: () => move(1), k: () => move(-1) };
    if (deeds[event.key]) { event.preventDefault(); deeds[event.key](); return; }
    const named = one(`[data-shortcut="${CSS.escape(event.key)}"]`);
    if (named) { event.preventDefault(); named.matches("input, textarea") ? named.focus() : named.click(); }
  });

  function ready(from) {
    all("[data-reveal][hidden]", from).forEach((button) => { button.hidden = false; });
    all(".toast[data-leaves]", from).forEach(leave);
    all("[data-shortcuts-switch]", from).forEach((box) => { box.checked = shortcutsOn(); });
    all(".tabs [aria-current]", from).forEach((tab) => { const bar = tab.parentElement; bar.scrollLeft = tab.offsetLeft - (bar.clientWidth - tab.offsetWidth) / 2; });
    all("[data-typed]", from).forEach(checkTyped);
    one("[data-error-summary]", from)?.focus();
  }
  window.clause = { toast, announce, setClock };
  setClock(words().now);
  ready(document);
  tick();
  setInterval(tick, 1000);
})();
