// Turns the pages of every flipbook in this document. The pages were drawn by matplotlib; nothing is computed here.
//
// A figure carries all it needs in data-book (deflated JSON: pages, captions, sliders, play, cuts), so this script is
// the same in each of them, needs no names outside itself, and may run any number of times in one document.
(() => {
  const FIGURES = ".llama-flipbook";
  const NARROW = 0.9; // of its natural width: below, panels that stand side by side are stacked
  const LARGEST = 1.15; // times its natural width: a stacked panel does not grow beyond it
  const OWN_KEYS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown", " ", "Enter"];

  // Where the reader has put a picture's sliders, for when it is shown again, in the same place, with pages for narrow
  // screens.
  function keptAt(figure) {
    const { kept: name } = figure.dataset;
    if (name && figure.parentElement.kept?.name !== name) figure.parentElement.kept = { name };
    return name ? figure.parentElement.kept : {};
  }

  async function unpack(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return JSON.parse(await new Response(stream).text());
  }

  function element(name, properties = {}, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  }

  // A slider: its element, and read and set for the place of its value in the list.
  function rangeControl(slider) {
    const input = element("input", { type: "range", min: 0, max: slider.values.length - 1, step: 1, value: slider.start });
    input.dataset.name = slider.name;
    const output = element("output");
    const widest = Math.max(...slider.values.map((value) => value.length));
    output.style.minWidth = `${widest + 0.5}ch`; // so that the slider does not jump as its value grows
    const show = () => {
      output.textContent = slider.values[input.value];
      input.setAttribute("aria-valuetext", slider.values[input.value]);
    };
    show();
    return {
      element: element("label", {}, element("span", { textContent: slider.label }), input, output),
      read: () => Number(input.value),
      set: (place) => { input.value = place; },
      show,
    };
  }

  // A choice between words: radio buttons that look like a row of buttons.
  function choiceControl(slider) {
    const group = `llama-${Math.random().toString(36).slice(2)}`; // radio buttons of one name exclude each other, page-wide
    const inputs = slider.values.map((value, place) => {
      const input = element("input", { type: "radio", name: group, value: place, checked: place === slider.start });
      input.dataset.name = slider.name;
      return input;
    });
    const labels = inputs.map((input, place) => element("label", {}, input, element("span", { textContent: slider.values[place] })));
    return {
      element: element("fieldset", { className: "llama-choice" }, element("legend", { textContent: slider.label }), ...labels),
      read: () => inputs.findIndex((input) => input.checked),
      set: (place) => { inputs[place].checked = true; },
      show: () => {},
    };
  }

  // The page as one picture or, on a narrow screen, as its panels one under the other: the same drawing seen through
  // one window for each panel.
  function paint(picture, whole, cuts, naturalWidth, available) {
    picture.replaceChildren(whole);
    if (available === 0 || available >= NARROW * naturalWidth || cuts.length < 3) return;
    const { width, height } = whole.viewBox.baseVal;
    const pieces = cuts.slice(1).map((right, index) => {
      const piece = whole.cloneNode(true);
      const share = right - cuts[index];
      piece.setAttribute("viewBox", `${cuts[index] * width} 0 ${share * width} ${height}`);
      piece.style.maxWidth = `${LARGEST * share * naturalWidth}px`;
      return piece;
    });
    picture.replaceChildren(...pieces);
  }

  // JupyterLab and Notebook 7 take arrow keys for moving between cells, before they reach a slider. While the focus is
  // in the figure, keys that a slider or button understands are kept from them; Shift+Enter and the like pass.
  function keepKeys(figure, picture, walk) {
    const keep = (event) => {
      const modified = event.ctrlKey || event.metaKey || event.altKey || event.shiftKey;
      if (event.target === picture && !modified) walk(event);
      if (figure.contains(event.target) && !modified && OWN_KEYS.includes(event.key)) event.stopPropagation();
    };
    figure.addEventListener("focusin", () => window.addEventListener("keydown", keep, true));
    figure.addEventListener("focusout", () => window.removeEventListener("keydown", keep, true));
  }

  // The play button walks one slider to its end and stops there. Who asked for less motion turns a page a click.
  function playButton(figure, control, slider, caption, turn, kept) {
    const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    const pages = slider.values.length;
    const pause = pages <= 8 ? 1000 : Math.min(600, Math.max(120, 6000 / pages)); // milliseconds: few pages are compared
    const last = slider.values.length - 1;
    const idle = calm ? "▶ Next" : "▶ Play";
    const button = element("button", { type: "button", textContent: idle });
    button.setAttribute("aria-label", `${calm ? "Next" : "Play"}: ${slider.label}`);
    let timer = null;

    function step() {
      control.set(control.read() === last ? 0 : control.read() + 1);
      turn();
    }
    function stop() {
      if (timer === null) return;
      clearTimeout(timer);
      timer = null;
      if (figure.isConnected) kept.plays = false;
      button.textContent = idle;
      button.setAttribute("aria-label", `Play: ${slider.label}`);
      caption.setAttribute("aria-live", "polite");
      caption.textContent += ""; // where it stopped is read out
    }
    function walk() {
      if (!figure.isConnected || control.read() === last) return stop();
      step();
      timer = setTimeout(walk, pause);
    }
    button.addEventListener("click", () => {
      if (calm) return step();
      if (timer !== null) return stop();
      kept.plays = true;
      button.textContent = "❚❚ Pause";
      button.setAttribute("aria-label", `Pause: ${slider.label}`);
      caption.setAttribute("aria-live", "off"); // a screen reader cannot follow three pages a second
      step(); // from the end it begins again
      timer = setTimeout(walk, pause);
    });
    control.element.addEventListener("input", stop);
    return button;
  }

  // What a part of the picture says, when the pointer is on it or arrow keys have come to it. A part has one text, or
  // a list with one for each of its shapes, or, being an image, a list of rows.
  function speakingPicture(figure, picture) {
    const bubble = element("div", { className: "llama-says", hidden: true });
    bubble.setAttribute("role", "status");
    const frame = element("div", { className: "llama-here", hidden: true });
    figure.append(frame, bubble);

    const shapesOf = (part) => {
      const uses = part.querySelectorAll("use");
      return [...(uses.length ? uses : part.querySelectorAll("path"))];
    };
    const cellOf = (box, words, row, column) => {
      const [width, height] = [box.width / words[0].length, box.height / words.length];
      return new DOMRect(box.left + column * width, box.top + row * height, width, height);
    };

    // Every spot that says something, with where it stands on the screen.
    function spotsOf(part) {
      const says = JSON.parse(part.dataset.says);
      if (typeof says === "string") return [{ text: says, box: part.getBoundingClientRect() }];
      if (typeof says[0] === "string") return shapesOf(part).map((shape, k) => ({ text: says[k], box: shape.getBoundingClientRect() }));
      const box = part.getBoundingClientRect();
      return says.flatMap((row, r) => row.map((text, c) => ({ text, box: cellOf(box, says, r, c) })));
    }
    function spots() {
      return [...picture.querySelectorAll("[data-says]")].flatMap((part) => {
        const window = part.ownerSVGElement.getBoundingClientRect(); // a stacked panel shows a part of the drawing
        const seen = ({ left, width }) => left + width / 2 >= window.left && left + width / 2 <= window.right;
        return spotsOf(part).filter(({ box }) => seen(box));
      });
    }

    let here = null;
    function hide() {
      here = null;
      bubble.hidden = frame.hidden = true;
    }
    function show(spot) {
      here = spot;
      const whole = figure.getBoundingClientRect();
      bubble.textContent = spot.text;
      bubble.hidden = frame.hidden = false;
      Object.assign(frame.style, {
        left: `${spot.box.left - whole.left}px`, top: `${spot.box.top - whole.top}px`,
        width: `${spot.box.width}px`, height: `${spot.box.height}px`,
      });
      const left = spot.box.left - whole.left + spot.box.width / 2 - bubble.offsetWidth / 2;
      const above = spot.box.top - whole.top - bubble.offsetHeight - 4;
      bubble.style.left = `${Math.max(0, Math.min(left, whole.width - bubble.offsetWidth))}px`;
      bubble.style.top = `${above >= 0 ? above : spot.box.bottom - whole.top + 4}px`;
    }

    function point(event) {
      const part = event.target.closest?.("[data-says]");
      if (!part) return hide();
      const inside = ({ box }) =>
        event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
      const shape = event.target.closest("use, path");
      const says = JSON.parse(part.dataset.says);
      const place = Array.isArray(says) && typeof says[0] === "string" ? shapesOf(part).indexOf(shape) : -1;
      const spot = place >= 0 ? spotsOf(part)[place] : spotsOf(part).find(inside);
      if (spot?.text) show(spot); else hide();
    }
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const middle = (box) => [box.left + box.width / 2, box.top + box.height / 2];
    function walk(event) {
      if (event.key === "Escape") return hide();
      const step = steps[event.key];
      if (!step) return;
      event.preventDefault();
      const all = spots().filter((spot) => spot.text);
      if (!all.length) return;
      if (!here) return show(all[0]);
      const [x, y] = middle(here.box);
      const far = (spot) => {
        const [dx, dy] = [middle(spot.box)[0] - x, middle(spot.box)[1] - y];
        const [along, aside] = [dx * step[0] + dy * step[1], Math.abs(dx * step[1]) + Math.abs(dy * step[0])];
        return along > 1 && aside <= along * 2 ? along + 3 * aside : Infinity;
      };
      const next = all.reduce((best, spot) => (far(spot) < far(best) ? spot : best));
      if (far(next) < Infinity) show(next);
    }

    picture.addEventListener("pointermove", point);
    picture.addEventListener("pointerdown", point);
    picture.addEventListener("pointerleave", hide);
    picture.addEventListener("blur", hide);
    const speaks = () => { picture.tabIndex = picture.querySelector("[data-says]") ? 0 : -1; };
    return { hide, speaks, walk };
  }

  async function open(figure) {
    const book = await unpack(figure.dataset.book);
    const picture = figure.querySelector(".llama-picture");
    const caption = figure.querySelector(".llama-caption");
    const wide = { pages: book.pages, cuts: book.cuts, width: parseFloat(figure.style.maxWidth) };
    let available = picture.clientWidth; // kept, since asking for it makes the browser lay out the page
    const suits = () => (book.narrow && available > 0 && available < NARROW * wide.width ? book.narrow : wide);
    let drawn = suits(); // the pages for this screen
    const controls = book.sliders.map((slider) => (slider.choice ? choiceControl : rangeControl)(slider));
    const kept = keptAt(figure);
    kept.places?.forEach((place, index) => controls[index].set(place));

    const read = new Map(); // page → its drawing as an element
    const own = `$1llama-${Math.random().toString(36).slice(2)}`;

    // The same picture may stand in the page twice, or in another tab of JupyterLab. A browser takes the first hatch of
    // an id, and paints nothing where that one is hidden: so every figure gets ids of its own.
    function drawing(page) {
      if (!read.has(page)) {
        const innerHTML = drawn.pages[page].replace(/( id="|href="#|url\(#)llama/g, own);
        read.set(page, element("div", { innerHTML }).firstElementChild);
      }
      return read.get(page);
    }

    function pageAt(places) {
      return places.reduce((page, place, index) => page * book.sliders[index].values.length + place, 0);
    }

    // The pages one step away are read while nothing else is to do, so that the next turn need not wait for that.
    function readAhead(places) {
      places.forEach((place, index) => {
        for (const next of [place - 1, place + 1]) {
          if (next in book.sliders[index].values) drawing(pageAt(Object.assign([...places], { [index]: next })));
        }
      });
    }

    function turn() {
      const places = controls.map((control) => control.read());
      const page = pageAt(places);
      kept.places = places;
      controls.forEach((control) => control.show());
      paint(picture, drawing(page), drawn === wide ? wide.cuts : [], drawn.width, available);
      speaker.hide();
      speaker.speaks();
      caption.textContent = book.captions[page];
      picture.setAttribute("aria-label", book.captions[page]);
      figure.dataset.page = page;
      (window.requestIdleCallback ?? setTimeout)(() => readAhead(places));
    }

    const shown = controls.filter((control, index) => book.sliders[index].values.length > 1).map((control) => control.element);
    const played = book.sliders.findIndex((slider) => slider.name === book.play);
    if (played >= 0) shown.unshift(playButton(figure, controls[played], book.sliders[played], caption, turn, kept));
    figure.querySelector(".llama-controls").replaceChildren(...shown);
    figure.addEventListener("input", turn);
    const speaker = speakingPicture(figure, picture);
    keepKeys(figure, picture, speaker.walk);
    new ResizeObserver(() => {
      if (picture.clientWidth === available) return;
      available = picture.clientWidth;
      if (drawn !== suits()) {
        drawn = suits();
        read.clear();
      }
      turn();
    }).observe(picture);
    turn();
    if (kept.plays) figure.querySelector(".llama-controls > button").click();
  }

  // Some front ends run a script before its output stands in the document: look again until one has been found.
  function openAll(triesLeft) {
    const closed = [...document.querySelectorAll(FIGURES)].filter((figure) => !figure.isOpen);
    for (const figure of closed) {
      figure.isOpen = true;
      open(figure).catch((error) => console.warn("The picture stays still:", error)); // its PNG is there
    }
    if (!closed.length && triesLeft > 0) setTimeout(openAll, 100, triesLeft - 1);
  }
  openAll(50);
})();
