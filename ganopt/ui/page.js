() => {
  const queries = {}; // for the content of each tab
  let open = "generate";
  let arriving = true; // until the visitor does something, the address stays as it was opened

  const canonical = query => {
    const parameters = new URLSearchParams(query);
    for (const name of [...parameters.keys()]) if (name.startsWith("__")) parameters.delete(name); // Gradio's own
    return parameters.toString();
  };
  const tabIn = query => {
    const parameters = new URLSearchParams(query);
    return parameters.get("tab") ?? ["live", "compare", "train", "fid", "lab"].find(name => parameters.has(name)) ?? "generate";
  };
  const queryOf = tab => canonical(queries[tab] ?? `tab=${tab}`);
  const write = () => {
    const query = queryOf(open);
    if (arriving || query === canonical(location.search)) return;
    const url = new URL(location);
    const own = [...url.searchParams].filter(([name]) => name.startsWith("__"));
    url.search = new URLSearchParams([...new URLSearchParams(query), ...own]);
    history.pushState(null, "", url);
  };
  const arrive = () => {
    arriving = true;
    const tab = tabIn(location.search);
    const query = canonical(location.search);
    if (queryOf(tab) !== query) document.querySelector("#back").click();
    queries[tab] = query;
    const buttons = [...document.querySelectorAll("[role=tab]")];
    buttons.find(each => each.textContent.trim().toLowerCase() === tab)?.click();
  };
  window.addEventListener("popstate", arrive);
  for (const type of ["pointerdown", "keydown"]) document.addEventListener(type, () => { arriving = false; }, true);

  // links to other parts of the page do not load it again
  document.addEventListener("click", event => {
    const link = event.target.closest("a[href^='?tab=']");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const url = new URL(link.getAttribute("href"), location);
    history.pushState(null, "", url.search);
    arrive();
    if (url.hash) focusSoon(url.hash);
  });
  const focusSoon = (selector, tries = 50) => { // as soon as its tab is visible
    if (document.querySelector(selector)?.offsetParent) window.ganopt.focusOn(selector);
    else if (tries) setTimeout(() => focusSoon(selector, tries - 1), 100);
  };

  // what is clicked in a picture of the Lab is written into the form
  const choicesField = () =>
    [...document.querySelectorAll(".choices :is(input, textarea)")].find(each => each.offsetParent);
  const markChoices = () => {
    const areas = document.querySelectorAll("[data-choice]");
    const chosen = areas.length ? choicesField()?.value.split(/\s+/) : [];
    for (const area of areas) {
      const state = String(!!chosen?.includes(area.dataset.choice));
      if (area.ariaChecked !== state) area.ariaChecked = state;
    }
  };
  const choose = event => {
    const area = event.target.closest("[data-choice]");
    const field = choicesField();
    if (!area || !field) return;
    event.preventDefault();
    const chosen = new Set(field.value.split(/\s+/).filter(Boolean));
    if (!chosen.delete(area.dataset.choice)) chosen.add(area.dataset.choice);
    field.value = [...chosen].sort((one, other) => one - other).join(" ");
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
  document.addEventListener("click", choose);
  document.addEventListener("keydown", event => { if (["Enter", " "].includes(event.key)) choose(event); });
  document.addEventListener("input", markChoices);

  // Gradio's sliders only report the end of a movement of the mouse
  const release = input => input.dispatchEvent(new PointerEvent("pointerup", { bubbles: true }));
  document.addEventListener("keyup", ({ key, target }) => {
    const moves = key.startsWith("Arrow") || ["Home", "End", "PageUp", "PageDown"].includes(key);
    if (target.matches("input[type=range]") && moves) release(target);
  });
  document.addEventListener("keydown", ({ key, target }) => {
    if (key === "Enter" && target.matches("[data-testid=number-input]")) release(target);
  });

  // Gradio's before/after slider only follows the mouse
  const STEP = 0.05; // of its width
  const moveWipe = (handle, step) => {
    const area = handle.parentElement.getBoundingClientRect();
    const { left, width, top } = handle.getBoundingClientRect();
    const from = left + width / 2;
    const to = Math.min(Math.max(from + step * area.width, area.left), area.right);
    const mouse = (type, x) => new MouseEvent(type, { bubbles: true, view: window, clientX: x, clientY: top + 1 });
    handle.dispatchEvent(mouse("mousedown", from));
    window.dispatchEvent(mouse("mousemove", to));
    window.dispatchEvent(mouse("mouseup", to));
    handle.setAttribute("aria-valuenow", Math.round((100 * (to - area.left)) / area.width));
  };
  document.addEventListener("keydown", event => {
    const step = { ArrowLeft: -STEP, ArrowDown: -STEP, ArrowRight: STEP, ArrowUp: STEP, Home: -1, End: 1 }[event.key];
    if (!step || !event.target.matches("#wipe [data-testid=slider]")) return;
    event.preventDefault();
    moveWipe(event.target, step);
  });

  // names for screen readers that Gradio has no settings for
  const name = () => {
    for (const face of document.querySelectorAll(".faces .thumbnail-item")) {
      const caption = face.querySelector(".caption-label")?.textContent;
      if (caption && face.ariaLabel !== caption) face.ariaLabel = caption;
    }
    for (const formula of document.querySelectorAll(".katex-display:not([tabindex])")) formula.tabIndex = 0; // it scrolls
    for (const empty of document.querySelectorAll(".empty[aria-label]:not([role])")) empty.role = "img";
    for (const handle of document.querySelectorAll("#wipe [data-testid=slider]:not([tabindex])")) {
      const values = { role: "slider", tabindex: 0, "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": 50 };
      for (const [key, value] of Object.entries(values)) handle.setAttribute(key, value);
      handle.ariaLabel = "Share of the first model's face, in %";
    }
    for (const region of document.querySelectorAll("#run-status, #fid-status, #train-said, #train-estimate, #facts, #find-said")) {
      region.role = "status";
      region.ariaBusy = !!region.querySelector("progress"); // not each step is read, but the end is
    }
  };

  // Gradio's own event comes late and out of order
  const openTab = () => document.querySelector("[role=tab][aria-selected=true]")?.textContent.trim().toLowerCase();
  const watchTab = () => {
    const tab = openTab();
    if (!tab || tab === open) return;
    open = tab;
    write();
  };
  const attributeFilter = ["aria-label", "aria-selected"];
  const watched = { childList: true, subtree: true, characterData: true, attributeFilter };
  new MutationObserver(() => { name(); markChoices(); watchTab(); }).observe(document.body, watched);

  window.ganopt = {
    isOpen: name => openTab() === name,
    shown: (tab, query) => { queries[tab] = query; if (tab === open) write(); },
    forgetChoices: () => document.querySelectorAll("[data-choice]").forEach(area => area.remove()),
    focusOn: selector => {
      const opened = document.querySelector(selector);
      opened.tabIndex = -1;
      opened.scrollIntoView();
      opened.focus({ preventScroll: true });
    },
    copyLink: async () => {
      try {
        await navigator.clipboard.writeText(location.href);
        return "Link copied";
      } catch { // not allowed, as on a page without HTTPS
        window.prompt("Copy this link:", location.href);
        return "Copy link";
      }
    },
  };
}
