"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const timed = data.total > 0;

  // Text goes into the page as text alone: config.json is no markup.
  function el(tag, props, ...children) {
    const e = document.createElement(tag);
    for (const [name, value] of Object.entries(props || {})) {
      if (value === undefined || value === null || value === false) continue;
      if (name === "vars") for (const [n, v] of Object.entries(value)) e.style.setProperty(n, v);
      else if (name.startsWith("on")) e.addEventListener(name.slice(2), value);
      else e.setAttribute(name, value === true ? "" : value);
    }
    e.append(...children.flat().filter((c) => c !== undefined && c !== null && c !== false));
    return e;
  }

  const colorOf = (group) => "var(--" + ({ "root filesystem": "root" }[group] || group) + ")";
  const percent = (x) => (100 * x).toFixed(3) + "%";
  function micros(t) {
    if (t >= 9995) return (t / 1000).toFixed(1) + " ms";
    if (t >= 999.5) return (t / 1000).toFixed(2) + " ms";
    return (t >= 10 ? t.toFixed(0) : t.toFixed(1)) + " µs";
  }
  const plural = (n, one) => n + " " + one + (n === 1 ? "" : "s");

  function head() {
    document.title = data.title + " · ociruntime explain";
    $("title").textContent = data.title;
    $("subtitle").textContent = data.subtitle;
    const host = data.steps.filter((s) => s.host).length;
    const fact = (n, word) => el("span", {}, el("b", {}, String(n)), " " + word);
    $("facts").append(
      fact(data.steps.length, "steps"),
      fact(data.calls, "system calls"),
      fact(data.steps.length - host, "by the init"),
      fact(host, "by the host"));
    if (timed) $("facts").append(fact(micros(data.total), "in all"));
    $("notes").hidden = data.notes.length === 0;
    $("notes").append(...data.notes.map((n) => el("li", {}, n)));
  }

  function namespaces() {
    const is = {
      user: "user ids, capabilities", mount: "what is mounted where", pid: "process ids", network: "interfaces, routes, ports",
      ipc: "System V ids, message queues", uts: "host name", cgroup: "what it sees of cgroups", time: "boot and monotonic clock",
    };
    const room = (kind, title, chip) => {
      const list = data.namespaces.filter((n) => n.is === kind);
      return list.length === 0 ? null : el("div", { class: "room " + kind }, el("h3", {}, title),
        el("ul", { class: "chips" }, list.map((n) => el("li", {}, el("b", {}, n.name), el("span", {}, chip(n))))));
    };
    const made = room("made", "new, the container's own", (n) => is[n.name]);
    const joined = room("joined", data.exec ? "the container's, which it joins" : "of others, which it joins", (n) => n.path || is[n.name]);
    const host = room("host", "shared with the host", (n) => is[n.name]) ||
      el("div", { class: "room host" }, el("h3", {}, "shared with the host"), el("p", { class: "none" }, "none"));
    const rooms = made || joined ? el("div", { class: "rooms" }, made, joined) : null;
    $("namespaces").append(el("div", { class: "world" + (rooms ? "" : " alone") }, host, rooms));
  }

  // The timeline. Each block is {step, extra, left, width, waits, host}.
  const blocks = [];
  function block(track, left, width, color, title, props, open) {
    const b = el("div", { class: "block " + props, title, vars: { "--color": color }, onclick: open });
    b.style.left = percent(left);
    b.style.width = percent(width);
    track.append(b);
    return b;
  }

  function overview(byTime) {
    const host = el("div", { class: "lane", "data-name": "host" });
    const init = el("div", { class: "lane", "data-name": "init" });
    const lanes = el("div", { class: "lanes" }, host, init);
    const bands = el("div", { class: "bands" });
    const meet = (at) => { const m = el("div", { class: "meet" }); m.style.left = percent(at); lanes.append(m); };
    blocks.length = 0;
    const n = data.steps.length;
    data.steps.forEach((s, i) => {
      const title = s.number + "  " + s.what + (s.from === "default" ? "" : "\n" + s.from) + (s.time ? "\n" + micros(s.time.self) : "");
      const put = (track, left, width, props) =>
        blocks.push([s, block(track, left, width, colorOf(s.group), title, props, () => show(s.number))]);
      if (!byTime) {
        put(s.host ? host : init, i / n, 1 / n, "");
        if (s.host && s.calls.length) meet(i / n);
        if (s.host && i + 1 < n && (!data.steps[i + 1].host || data.steps[i + 1].calls.length) && data.steps.slice(0, i + 1).some((e) => !e.host)) meet((i + 1) / n);
        return;
      }
      if (s.time) put(s.host ? host : init, s.time.start / data.total, s.time.took / data.total, "");
      if (s.wait) {
        put(init, s.wait.start / data.total, s.wait.took / data.total, "waits");
        meet(s.wait.start / data.total);
        meet((s.wait.start + s.wait.took) / data.total);
      }
    });
    if (byTime) {
      for (const e of data.spans) {
        block(e.init ? init : host, e.start / data.total, e.took / data.total, "var(--around)", e.name + "\n" + micros(e.took), "extra" + (e.waits ? " waits" : ""));
      }
      ticks(bands);
    } else {
      groupBands(bands);
    }
    $("overview").replaceChildren(lanes, bands);
    search();
  }

  function ticks(bands) {
    let step = 10 ** Math.floor(Math.log10(data.total / 4));
    for (const f of [5, 2]) if (data.total / (step * f) >= 4) { step *= f; break; }
    for (let t = 0; t < data.total; t += step) {
      const mark = el("span", { class: "tick" }, t === 0 ? "0" : step >= 1000 ? t / 1000 + " ms" : t >= 1000 ? (t / 1000).toFixed(1) + " ms" : t + " µs");
      mark.style.left = percent(t / data.total);
      bands.append(mark);
    }
  }

  function groupBands(bands) {
    const n = data.steps.length;
    for (let i = 0, from = 0; i < n; i++) {
      if (i + 1 < n && data.steps[i + 1].group === data.steps[from].group) continue;
      const width = (i + 1 - from) / n;
      const band = el("span", { class: width < 0.06 ? "bare" : "", title: data.steps[from].group }, data.steps[from].group);
      band.style.left = percent(from / n);
      band.style.width = percent(width);
      bands.append(band);
      from = i + 1;
    }
  }

  function scaleSwitch() {
    const buttons = ["by time", "by order"].map((label, i) => el("button", { type: "button", "aria-pressed": String(i === 0), onclick: () => choose(i) }, label));
    const choose = (k) => {
      buttons.forEach((b, i) => b.setAttribute("aria-pressed", String(i === k)));
      overview(k === 0);
    };
    $("scale").append(...buttons);
    $("scale").hidden = !timed;
  }

  function legend() {
    const groups = [...new Set(data.steps.map((s) => s.group))];
    $("legend").append(...groups.map((g) => el("li", { vars: { "--color": colorOf(g) } }, g)));
    if (timed) $("legend").append(el("li", { vars: { "--color": "var(--around)" } }, "around the plan"));
  }

  // The place in config.json: its value there, or undefined.
  function at(place) {
    let value = data.config;
    const keys = place.match(/[^.[\]]+/g) || [];
    for (let i = 0; i < keys.length; i++) {
      if (value === null || typeof value !== "object") return undefined;
      const rest = keys.slice(i).join("."); // names of sysctls have dots
      if (Object.hasOwn(value, rest)) return value[rest];
      if (!Object.hasOwn(value, keys[i])) return undefined;
      value = value[keys[i]];
    }
    return keys.length ? value : undefined;
  }

  function call(text) {
    const m = /^((?:when|unless) [^:]*: )?([a-z][a-z0-9_]*)(?=\()(.*?)(\s+\[[^[\]]* fine\])?$/s.exec(text);
    return m ? el("li", {}, m[1] && el("i", {}, m[1]), el("b", {}, m[2]), m[3], m[4] && el("em", {}, m[4])) : el("li", {}, text);
  }

  function body(s) {
    const b = el("div", { class: "body" });
    if (s.time) {
      let text = "Began at " + micros(s.time.start) + ", took " + micros(s.time.took) + ".";
      if (s.wait) text += " The init waited " + micros(s.wait.took) + " at this rendezvous.";
      b.append(el("p", {}, text));
    }
    if (s.calls.length) {
      b.append(el("div", {}, el("h4", {}, s.host ? "rendezvous: what the init does meanwhile" : plural(s.calls.length, "line") + " of system calls"),
        el("ol", { class: "calls" }, s.calls.map(call))));
    } else if (s.host) {
      b.append(el("p", {}, "The host does this by itself, while no init runs or while it waits at the rendezvous before."));
    }
    const value = s.from === "default" ? undefined : at(s.from);
    if (value !== undefined) {
      const lines = JSON.stringify(value, null, 2).split("\n");
      const more = lines.length > 60 ? "\n… and " + plural(lines.length - 60, "line") + " more" : "";
      b.append(el("div", {}, el("h4", {}, "config.json, " + s.from), el("pre", { tabindex: lines.length > 20 ? "0" : null }, lines.slice(0, 60).join("\n") + more)));
    } else {
      b.append(el("p", {}, s.from === "default" ? "Nothing in config.json asks for it: it is done for every container." : s.from + ", which config.json does not set: this is the default."));
    }
    return b;
  }

  const rows = [];
  function steps() {
    document.body.classList.toggle("timed", timed);
    const most = Math.max(1, ...data.steps.map((s) => (s.time ? s.time.self : 0)));
    let group, list;
    for (const s of data.steps) {
      if (!group || group.dataset.name !== s.group) {
        list = el("ol");
        group = el("div", { class: "group", "data-name": s.group, vars: { "--color": colorOf(s.group) } }, el("h3", {}, s.group), list);
        $("steps").append(group);
      }
      const time = !timed ? null : el("span", { class: "time" }, s.time ? micros(s.time.self) : "", s.time && el("i", { vars: { width: percent(s.time.self / most) } }));
      const details = el("details", {}, el("summary", {}, el("span", { class: "no" }, String(s.number)), el("span", { class: "rail" }, el("i")),
        el("span", { class: "what" }, s.what), el("span", { class: "from" }, s.from === "default" ? "" : s.from), time));
      details.addEventListener("toggle", () => { if (details.open && details.childElementCount === 1) details.append(body(s)); });
      const row = el("li", { class: "step" + (s.host ? " host" : "") + (s.host && s.calls.length ? " meets" : ""), id: "step-" + s.number }, details);
      rows.push({ s, row, details, text: [s.what, s.from, s.group, s.host ? "host" : "init", ...s.calls].join("\n").toLowerCase() });
      list.append(row);
    }
  }

  function show(number) {
    const r = rows.find((e) => e.s.number === number);
    if (!r) return;
    if (r.row.hidden) { $("search").value = ""; search(); }
    r.details.open = true;
    r.row.scrollIntoView({ block: "center" });
    r.details.firstChild.focus({ preventScroll: true });
  }

  function search() {
    const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    const hit = new Set();
    for (const r of rows) {
      r.row.hidden = !words.every((w) => r.text.includes(w));
      if (!r.row.hidden) { found++; hit.add(r.s); }
    }
    for (const g of $("steps").children) g.hidden = !g.querySelector(".step:not([hidden])");
    for (const [s, b] of blocks) b.classList.toggle("dim", !hit.has(s));
    $("count").textContent = words.length ? found + " of " + rows.length : "";
    $("nothing").hidden = found > 0;
  }

  function openAll() {
    const visible = rows.filter((r) => !r.row.hidden);
    const open = visible.some((r) => !r.details.open);
    for (const r of visible) r.details.open = open;
    $("all").textContent = open ? "Close all" : "Open all";
  }

  function keys(e) {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.target === $("search")) {
      if (e.key === "Escape") { $("search").value = ""; search(); $("search").blur(); }
      if (e.key === "ArrowDown") move(-1, 1, e);
      return;
    }
    if (e.key === "/") { e.preventDefault(); $("search").focus(); }
    const i = rows.findIndex((r) => r.details.firstChild === document.activeElement);
    if (i < 0) return;
    if (e.key === "ArrowDown") move(i, 1, e);
    if (e.key === "ArrowUp") move(i, -1, e);
  }

  function move(i, by, e) {
    e.preventDefault();
    for (i += by; rows[i]; i += by) {
      if (!rows[i].row.hidden) return rows[i].details.firstChild.focus();
    }
  }

  function tables() {
    $("around").hidden = data.spans.length === 0;
    $("spans").append(...data.spans.map((e) => el("tr", {}, el("td", { class: "num" }, micros(e.start)), el("td", { class: "num" }, micros(e.took)),
      el("td", { class: "num" }, micros(e.self)), el("td", {}, e.name + (e.from && e.from !== "default" ? " [" + e.from + "]" : "")))));
    $("files").append(...data.files.map((f) => el("tr", {}, el("td", { class: "num" }, String(f.number)), el("td", {}, f.name),
      el("td", {}, f.what), el("td", { class: "place" }, f.from === "default" ? "" : f.from))));
    $("filter").hidden = !data.filter;
    $("decisions").textContent = data.filter;
  }

  head();
  namespaces();
  steps();
  scaleSwitch();
  legend();
  overview(timed);
  tables();
  $("search").addEventListener("input", search);
  $("all").addEventListener("click", openAll);
  document.addEventListener("keydown", keys);
  const linked = /^#step-(\d+)$/.exec(location.hash);
  if (linked) show(Number(linked[1]));
})();
