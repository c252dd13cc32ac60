// The web edition's own script: theme, search, and pictures that are opened as the reader comes near them.
(() => {
  const root = document.documentElement;
  const one = (selector) => document.querySelector(selector);

  // ---- theme: the system's, until the button says otherwise ----
  const theme = one("#theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.style.colorScheme || (system.matches ? "dark" : "light")) === "dark";
  const tell = () => theme.setAttribute("aria-pressed", isDark());
  theme.addEventListener("click", () => {
    root.style.colorScheme = isDark() ? "light" : "dark";
    try { localStorage.setItem("theme", root.style.colorScheme); } catch {} // a browser may forbid it
    tell();
  });
  system.addEventListener("change", tell);
  tell();

  // ---- search: pagefind's index, read when the window is first opened ----
  const [dialog, words, found, results] = ["#search", "#words", "#found", "#results"].map(one);
  let engine = null;
  async function open() {
    dialog.showModal();
    words.focus();
    if (engine) return;
    engine = await import(new URL("pagefind/pagefind.js", document.baseURI));
    await engine.options({ baseUrl: new URL(".", document.baseURI).pathname, excerptLength: 24 });
    await engine.init();
    if (words.value) search();
  }
  function entry(title, part) {
    const item = document.createElement("li");
    const link = Object.assign(document.createElement("a"), { href: part.url, textContent: title });
    link.addEventListener("click", () => dialog.close());
    const says = document.createElement("p");
    says.innerHTML = part.excerpt; // pagefind's own: escaped text with <mark>
    item.append(link, says);
    return item;
  }
  async function search() {
    const answer = engine && (await engine.debouncedSearch(words.value, {}, 120));
    if (!answer) return; // a later one is under way
    const pages = await Promise.all(answer.results.slice(0, 8).map((result) => result.data()));
    const items = pages.flatMap((page) => page.sub_results.slice(0, 3).map((part) => {
      const [lab, section] = [page.meta.title, part.title];
      return entry(section === lab ? lab : `${lab} › ${section}`, part);
    }));
    results.replaceChildren(...items);
    const count = `${answer.results.length} ${answer.results.length === 1 ? "page" : "pages"}`;
    found.textContent = words.value ? (items.length ? count : "Nothing found.") : "";
  }
  words.addEventListener("input", search);
  one("#find").addEventListener("click", open);
  addEventListener("keydown", (event) => {
    const writes = event.target.closest?.("input, textarea, [contenteditable]");
    if (event.key !== "/" || writes || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    open();
  });

  // ---- the menu of narrow screens closes where it led ----
  for (const link of document.querySelectorAll(".menu a")) {
    link.addEventListener("click", () => { link.closest("details").open = false; });
  }

  // ---- pictures: near the reader their pages are loaded and flipbook.js opens them, as it opens every one that is
  // not open yet; so those far away are called open until then ----
  const NEAR = "900px";
  const books = [...document.querySelectorAll(".llama-flipbook[data-from]")];
  for (const picture of document.querySelectorAll(".llama-flipbook")) picture.isOpen = true;
  let script = null;
  async function load(book) {
    script ??= fetch("flipbook.js").then((answer) => answer.text());
    const [pages, textContent] = await Promise.all([fetch(book.dataset.from), script]);
    if (!pages.ok) return; // its still is there
    book.dataset.book = await pages.text();
    book.isOpen = false;
    document.head.append(Object.assign(document.createElement("script"), { textContent }));
  }
  const watcher = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      watcher.unobserve(target);
      load(target).catch((error) => console.warn("The picture stays still:", error));
    }
  }, { rootMargin: NEAR });
  const whenIdle = window.requestIdleCallback ?? ((call) => setTimeout(call, 50));
  whenIdle(() => books.forEach((book) => watcher.observe(book)), { timeout: 1000 });

  // ---- the start page's picture begins by itself, once, where the reader has not asked for less motion ----
  const moving = one(".moves .llama-flipbook");
  if (moving && !matchMedia("(prefers-reduced-motion: reduce)").matches) {
    const opened = new MutationObserver(() => {
      const play = moving.querySelector(".llama-controls button");
      if (!play) return;
      opened.disconnect();
      play.click();
    });
    opened.observe(moving, { childList: true, subtree: true });
  }
})();
