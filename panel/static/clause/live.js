/* Live pages. The socket carries only arrays of {topic, event, id}; what changed is fetched again by its own address, so that the
   server decides anew who may see it. After a lost connection everything is fetched once; without sockets it is polled. */
"use strict";
(() => {
  const path = document.body.dataset.liveSocket;
  const sign = document.getElementById("live");
  if (!path || !sign) return;
  const words = document.getElementById("ui-words").dataset;
  const POLL_MS = 20000, SLOWEST_MS = 15000;
  let tries = 0, opened = false, poll = 0;
  const queue = new Map(), running = new Set(), again = new Set();

  function show(state) {
    sign.dataset.state = state;
    sign.firstElementChild.textContent = state === "live" ? words.live : words.lost;
  }
  /* Never under the reader's hand: an element that holds the focus of a field, or an open menu or dialog, waits. */
  const busy = (element) => element.contains(document.activeElement) && document.activeElement.matches("input, textarea, select")
    || element.querySelector("dialog[open], details[data-menu][open]");
  /* One fetch of a part at a time: it exchanges the element, so what is heard meanwhile is fetched once more after it. */
  function refresh(element) {
    const id = element.id;
    if (running.has(id)) { again.add(id); return; }
    if (queue.has(id)) return;
    queue.set(id, setTimeout(() => {
      queue.delete(id);
      const part = document.getElementById(id);
      if (!part?.dataset.liveUrl) return;
      if (busy(part)) { refresh(part); return; }
      const focus = part.contains(document.activeElement) ? document.activeElement.id : "";
      running.add(id);
      htmx.ajax("GET", part.dataset.liveUrl, { source: part, target: part, swap: "outerHTML" }).then(() => {
        if (focus) document.getElementById(focus)?.focus();
        const said = document.getElementById(id)?.querySelector("[data-announce]");
        if (said) window.clause.announce(said.textContent.trim());
      }).catch(() => {}).finally(() => {
        running.delete(id);
        const present = document.getElementById(id);
        if (again.delete(id) && present) refresh(present);
      });
    }, busy(element) ? 1500 : 120));
  }
  /* The server is told what this page shows and since when; it refuses topics this person may not watch, and says at once
     what changed between the reading of the page and this message. */
  let socket = null;
  const watched = new Set();
  function watch() {
    if (socket?.readyState !== WebSocket.OPEN) return;
    const topics = [...document.querySelectorAll("[data-live][data-live-url]")].flatMap((element) => element.dataset.live.split(" ")).filter((topic) => topic && !watched.has(topic));
    if (!topics.length) return;
    topics.forEach((topic) => watched.add(topic));
    socket.send(JSON.stringify({ watch: [...new Set(topics)], since: Number(document.body.dataset.liveSince) || 0 }));
  }
  document.addEventListener("htmx:afterSettle", watch);
  const refreshAll = () => document.querySelectorAll("[data-live][data-live-url]").forEach(refresh);
  function heard(message) {
    document.querySelectorAll("[data-live][data-live-url]").forEach((element) => {
      if (element.dataset.live.split(" ").includes(message.topic)) refresh(element);
    });
    document.dispatchEvent(new CustomEvent("clause:live", { detail: message }));
  }
  function connect() {
    socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`);
    socket.addEventListener("open", () => {
      clearInterval(poll); poll = 0; tries = 0;
      show("live");
      watched.clear();
      watch();
      if (opened) refreshAll();
      opened = true;
    });
    socket.addEventListener("message", (event) => {
      let messages = [];
      try { messages = [JSON.parse(event.data)].flat(); } catch { return; }
      for (const message of messages) message.topic === "*" ? refreshAll() : heard(message);
    });
    socket.addEventListener("close", () => {
      show("lost");
      opened = true;
      if (!poll) poll = setInterval(() => { if (!document.hidden) refreshAll(); }, POLL_MS);
      tries += 1;
      setTimeout(connect, Math.min(SLOWEST_MS, 500 * 2 ** Math.min(tries, 6)) * (0.7 + Math.random() * 0.6));
    });
  }
  connect();
})();
