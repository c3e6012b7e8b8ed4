/* A terminal. The server emulates it and sends the lines that changed, as text and classes of a fixed vocabulary; keys go
   back by their names. Nothing is kept: what is sent is the latest screen, and the next one once this one is drawn. */
"use strict";
(() => {
  const box = document.getElementById("terminal");
  if (!box) return;
  const find = (name) => box.querySelector(`[data-${name}]`);
  const view = find("view"), past = find("past"), screen = find("screen"), input = find("input"), sign = find("sign");
  const end = find("end"), how = find("how"), said = find("said"), control = box.querySelector("[data-key=Control]");
  const HISTORY = Number(box.dataset.history), PIECE = 8000, MOST_PASTED = 200000;
  const NAMED = new Set(["Enter", "Backspace", "Tab", "Escape", "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Home", "End",
    "PageUp", "PageDown", "Insert", "Delete", ...Array.from({ length: 12 }, (_, n) => `F${n + 1}`)]);
  let socket = null, rows = [], size = "", composing = false, aloud = false, fresh = new Map(), speaking = 0;

  /* the colours beyond the theme's sixteen: the cube of 216 and 24 greys */
  const sheet = new CSSStyleSheet(), STEPS = [0, 95, 135, 175, 215, 255];
  sheet.replaceSync(Array.from({ length: 240 }, (_, n) => {
    const grey = 8 + 10 * (n - 216);
    const rgb = n < 216 ? [STEPS[Math.floor(n / 36)], STEPS[Math.floor(n / 6) % 6], STEPS[n % 6]].join(" ") : `${grey} ${grey} ${grey}`;
    return `.t-f${n + 16}{color:rgb(${rgb})}.t-b${n + 16}{background:rgb(${rgb})}`;
  }).join(""));
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];

  /* drawing */
  function line(runs) {
    const made = document.createElement("div");
    made.className = "t-row";
    draw(made, runs);
    return made;
  }
  function draw(row, runs) {
    const parts = [];
    for (let at = 0; at < runs.length; at += 2) {
      const part = document.createElement("span");
      part.textContent = runs[at];
      if (runs[at + 1]) part.className = runs[at + 1].replace(/\S+/g, "t-$&");
      parts.push(part);
    }
    row.replaceChildren(...parts);
  }
  function show(frame) {
    const atEnd = view.scrollTop + view.clientHeight >= view.scrollHeight - 4;
    if (frame.size) {
      rows = Array.from({ length: frame.size[1] }, () => line([]));
      screen.replaceChildren(...rows);
    }
    if (frame.forget) past.replaceChildren();
    if (frame.past) {
      past.append(...frame.past.map(line));
      while (past.childElementCount > HISTORY) past.firstElementChild.remove();
    }
    for (const [y, runs] of Object.entries(frame.rows ?? {})) {
      draw(rows[y], runs);
      fresh.set(y, runs.filter((_, at) => at % 2 === 0).join("").trim());
    }
    if (atEnd || frame.size) view.scrollTop = view.scrollHeight;
    if (aloud && !speaking) speaking = setTimeout(speak, 600);
    if (!aloud) fresh.clear();
  }
  function speak() {
    said.textContent = [...fresh].sort((one, other) => one[0] - other[0]).map((each) => each[1]).filter(Boolean).slice(-8).join("\n");
    fresh.clear();
    speaking = 0;
  }

  /* the size of the window, in characters */
  function measured() {
    const probe = line(["0".repeat(40), ""]);
    screen.append(probe);
    const { width, height } = probe.firstChild.getBoundingClientRect(), tall = probe.getBoundingClientRect().height || height;
    probe.remove();
    const style = getComputedStyle(view);
    const wide = view.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const high = view.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
    return [Math.floor(wide / (width / 40)), Math.floor(high / tall)];
  }
  let settling = 0;
  new ResizeObserver(() => {
    clearTimeout(settling);
    settling = setTimeout(() => {
      if (box.hidden || socket?.readyState !== WebSocket.OPEN) return;
      const now = measured();
      if (String(now) !== size) { size = String(now); send({ size: now }); }
    }, 80);
  }).observe(view);

  /* the connection */
  const send = (what) => { if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(what)); };
  function state(name, words) { box.dataset.state = name; sign.textContent = words; }
  function open() {
    if (socket) return;
    box.hidden = false;
    document.documentElement.dataset.terminal = "";
    end.hidden = true;
    past.replaceChildren(); screen.replaceChildren();
    state("connecting", box.dataset.wordConnecting);
    const mine = socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${box.dataset.socket}`);
    let ending = "left";
    mine.addEventListener("open", () => { const now = measured(); size = String(now); send({ size: now }); });
    mine.addEventListener("message", (event) => {
      const told = JSON.parse(event.data);
      if (told.n) {
        if (box.dataset.state !== "open") state("open", box.dataset.wordOpen);
        show(told);
        send({ ack: told.n });
      } else if (told.ended) ending = told.ended;
      else if (told.left) { sign.textContent = box.dataset.wordSoon; box.dataset.soon = ""; }
      else if (told.busy) window.clause.toast(box.dataset.wordBusy, { tone: "warn" });
    });
    mine.addEventListener("close", () => {
      if (socket !== mine) return;
      socket = null;
      delete box.dataset.soon;
      state("ended", "");
      how.textContent = box.getAttribute(`data-end-${ending}`);
      end.hidden = false;
      full(false);
      if (box.contains(document.activeElement)) end.querySelector("button").focus();
      window.clause.announce(how.textContent);
    });
    input.focus();
    view.scrollIntoView({ block: "nearest" });
  }
  function close() {
    const mine = socket;
    socket = null;
    mine?.close();
    delete document.documentElement.dataset.terminal;
    box.hidden = true;
    full(false);
    document.querySelector("#terminal-door [data-terminal-open]")?.focus();
  }
  function full(on) {
    box.classList.toggle("terminal-full", on);
    find("full").setAttribute("aria-pressed", String(on));
  }

  /* keys */
  const held = (on) => control.setAttribute("aria-pressed", String(on));
  const isHeld = () => control.getAttribute("aria-pressed") === "true";
  function press(key, mods = "") {
    delete box.dataset.soon;
    if (box.dataset.state === "open") sign.textContent = box.dataset.wordOpen;
    send({ key, mods: isHeld() ? `${mods}c` : mods });
    held(false);
    view.scrollTop = view.scrollHeight;
  }
  function typed() {
    const text = input.value;
    input.value = "";
    if (!text) return;
    if (isHeld() && [...text].length === 1) { press(text); return; }
    delete box.dataset.soon;
    send({ text });
    view.scrollTop = view.scrollHeight;
  }
  box.addEventListener("keydown", (event) => {
    if (!socket || event.target.closest("button")) return;
    event.stopPropagation();
    const { key, ctrlKey: ctrl, altKey: alt, shiftKey: shift } = event;
    if (event.metaKey || event.isComposing || event.keyCode === 229) return;
    if (shift && key === "F6") { event.preventDefault(); find("close").focus(); return; }
    const selected = !getSelection().isCollapsed;
    if (ctrl && shift && key.toLowerCase() === "c") { event.preventDefault(); if (selected) document.execCommand("copy"); return; }
    if (ctrl && !shift && key === "c" && selected) { setTimeout(() => getSelection().removeAllRanges()); return; }
    if ((ctrl && shift && key.toLowerCase() === "v") || key === "Insert" && (shift || ctrl)) { input.focus(); return; }
    if (shift && !ctrl && (key === "PageUp" || key === "PageDown")) {
      event.preventDefault();
      view.scrollBy(0, (key === "PageUp" ? -0.9 : 0.9) * view.clientHeight);
      return;
    }
    const mods = `${ctrl ? "c" : ""}${alt ? "a" : ""}${shift ? "s" : ""}`;
    if (NAMED.has(key)) { event.preventDefault(); press(key, mods); return; }
    if (key.length !== 1) return;
    if ((ctrl || alt) && !event.getModifierState("AltGraph") && /^[ -~]$/.test(key)) { event.preventDefault(); press(key, mods); return; }
    input.focus();
  });
  input.addEventListener("beforeinput", (event) => {
    if (event.inputType === "deleteContentBackward" && !input.value) { event.preventDefault(); press("Backspace"); }
    if (event.inputType === "insertLineBreak") { event.preventDefault(); press("Enter"); }
  });
  input.addEventListener("input", () => { if (!composing) typed(); });
  input.addEventListener("compositionstart", () => { composing = true; });
  input.addEventListener("compositionend", () => { composing = false; typed(); });
  box.addEventListener("paste", (event) => {
    event.preventDefault();
    const text = event.clipboardData.getData("text/plain");
    if (text.length > MOST_PASTED) { window.clause.toast(box.dataset.wordLarge, { tone: "warn" }); return; }
    for (let at = 0; at < text.length;) {
      let to = Math.min(text.length, at + PIECE);
      if (/[\uD800-\uDBFF]/.test(text[to - 1]) && to < text.length) to -= 1;
      send({ paste: text.slice(at, to), part: `${at ? "" : "first"} ${to < text.length ? "" : "last"}` });
      at = to;
    }
  });
  view.addEventListener("mouseup", () => { if (socket && getSelection().isCollapsed) input.focus({ preventScroll: true }); });
  box.querySelector(".terminal-touch").addEventListener("click", (event) => {
    const key = event.target.closest("[data-key]")?.dataset.key;
    if (!key) return;
    key === "Control" ? held(!isHeld()) : press(key);
    input.focus({ preventScroll: true });
  });
  find("close").addEventListener("click", close);
  find("full").addEventListener("click", () => { full(!box.classList.contains("terminal-full")); input.focus(); });
  find("aloud").addEventListener("click", (event) => {
    aloud = !aloud;
    event.target.setAttribute("aria-pressed", String(aloud));
    input.focus();
  });
  document.addEventListener("click", (event) => { if (event.target.closest("[data-terminal-open]")) open(); });
})();
