// What a reader's screen shows of one picture: measured in the page, after its script has drawn it.
//
// measurePicture(figure) → { smallest, clipped, overlapping, faint, height, wide }
() => {
  const LARGE_ENOUGH = 4.5; // contrast of text with what lies behind it (WCAG 2.1, 1.4.3)

  // A point of an SVG element on the screen.
  function corners(element) {
    const box = element.getBBox();
    const turn = element.getScreenCTM();
    const at = (x, y) => [turn.a * x + turn.c * y + turn.e, turn.b * x + turn.d * y + turn.f];
    const trim = Math.min(box.height * 0.18, 3); // a line's box is higher than its letters
    return [
      at(box.x, box.y + trim), at(box.x + box.width, box.y + trim),
      at(box.x + box.width, box.y + box.height - trim), at(box.x, box.y + box.height - trim),
    ];
  }

  // Whether two turned rectangles share more than an edge: no line parts them.
  function overlap(first, second) {
    for (const [one] of [[first], [second]]) {
      for (let side = 0; side < 2; side++) {
        const [dx, dy] = [one[side + 1][0] - one[side][0], one[side + 1][1] - one[side][1]];
        const along = (points) => points.map(([x, y]) => (x * dx + y * dy) / Math.hypot(dx, dy));
        const [a, b] = [along(first), along(second)];
        if (Math.min(...a) > Math.max(...b) - 1.5 || Math.min(...b) > Math.max(...a) - 1.5) return false;
      }
    }
    return true;
  }

  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  // A CSS colour as [red, green, blue, opacity].
  function rgba(colour) {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  }
  const over = (top, below, share) => top.slice(0, 3).map((value, k) => value * share + below[k] * (1 - share));
  function luminance(colour) {
    const [red, green, blue] = colour.map((value) => value / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }
  function contrast(one, other) {
    const [a, b] = [luminance(one), luminance(other)].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  }
  function opacity(element, stop) {
    let all = 1;
    for (let at = element; at && at !== stop; at = at.parentElement) all *= Number(getComputedStyle(at).opacity);
    return all;
  }

  // The colour behind a text: the page, and each filled shape that was painted before it over its middle.
  function behind(text, painted, page) {
    const box = text.getBoundingClientRect();
    const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
    let colour = page;
    for (const shape of painted) {
      if (!(shape.element.compareDocumentPosition(text) & Node.DOCUMENT_POSITION_FOLLOWING)) continue;
      const { left, right, top, bottom } = shape.box;
      if (x < left || x > right || y < top || y > bottom) continue;
      const point = new DOMPoint(x, y).matrixTransform(shape.element.getScreenCTM().inverse());
      if (shape.element.isPointInFill && !shape.element.isPointInFill(point)) continue;
      colour = over(shape.fill, colour, shape.fill[3] * shape.opacity);
    }
    return colour;
  }

  window.measurePicture = (figure, page) => {
    const picture = figure.querySelector(".llama-picture");
    const pieces = [...picture.querySelectorAll("svg")].filter((svg) => !svg.parentElement.closest("svg"));
    const found = { smallest: Infinity, small: [], clipped: [], overlapping: [], faint: [] };
    const seen = new Set(); // texts that stand whole in one of the stacked pieces
    const all = new Set();
    for (const svg of pieces) {
      const window = svg.getBoundingClientRect();
      const scale = svg.getScreenCTM().a;
      const painted = [...svg.querySelectorAll("path, rect, use")].map((element) => {
        const look = getComputedStyle(element);
        return { element, fill: look.fill === "none" ? null : rgba(look.fill), opacity: opacity(element, svg) * Number(look.fillOpacity), box: element.getBoundingClientRect() };
      }).filter(({ element, fill, box }) => fill && fill[3] > 0 && box.width > 3 && !element.closest("defs, clipPath"));
      const inside = [];
      [...svg.querySelectorAll("text")].forEach((text, place) => {
        const words = text.textContent.trim();
        if (!words || opacity(text, svg) < 0.05) return;
        const key = `${place} ${words}`;
        all.add(key);
        const box = text.getBoundingClientRect();
        const middle = box.left + box.width / 2;
        if (middle < window.left || middle > window.right) return; // it stands in another piece
        const whole = box.left >= window.left - 1.5 && box.right <= window.right + 1.5 && box.top >= window.top - 1.5 && box.bottom <= window.bottom + 1.5;
        if (whole) seen.add(key);
        const parts = text.querySelectorAll("tspan").length ? [...text.querySelectorAll("tspan")] : [text];
        // A raised or lowered figure is smaller than its line: the largest part counts.
        const size = Math.max(...parts.map((part) => parseFloat(getComputedStyle(part).fontSize))) * scale * textScale(text);
        found.smallest = Math.min(found.smallest, size);
        if (size < 10.95) found.small.push(`${words.slice(0, 30)} ${size.toFixed(1)}`);
        inside.push({ words, corners: corners(text), text });
        const back = behind(text, painted, page);
        const fill = rgba(getComputedStyle(parts[0]).fill);
        const ratio = contrast(over(fill, back, fill[3] * opacity(parts[0], svg) * Number(getComputedStyle(parts[0]).fillOpacity)), back);
        if (ratio < LARGE_ENOUGH) found.faint.push(`${words.slice(0, 30)} ${ratio.toFixed(1)}`);
      });
      inside.forEach((one, k) => inside.slice(k + 1).forEach((other) => {
        if (overlap(one.corners, other.corners)) found.overlapping.push(`${one.words.slice(0, 24)} | ${other.words.slice(0, 24)}`);
      }));
    }
    for (const key of all) if (!seen.has(key)) found.clipped.push(key.replace(/^\d+ /, "").slice(0, 40));
    const [outer, controls] = [figure.getBoundingClientRect(), figure.querySelector(".llama-controls").getBoundingClientRect()];
    found.height = Math.round(picture.getBoundingClientRect().bottom - outer.top);
    found.controls = Math.round(controls.height);
    found.width = Math.round(outer.width);
    found.wide = figure.scrollWidth > figure.clientWidth + 1;
    return found;
  };

  // Move the sliders to shares of their ways, and choices likewise.
  window.turnTo = (figure, places) => {
    const all = [...figure.querySelectorAll("[data-name]")];
    [...new Set(all.map((input) => input.dataset.name))].forEach((name, k) => {
      const inputs = all.filter((input) => input.dataset.name === name);
      const last = inputs[0].type === "range" ? Number(inputs[0].max) : inputs.length - 1;
      const place = Math.round(places[k % places.length] * last);
      if (inputs[0].type === "range") inputs[0].value = place; else inputs[place].checked = true;
    });
    figure.dispatchEvent(new Event("input", { bubbles: true }));
  };

  // The page that is shown first, and each that `places` lead to.
  window.measureAll = (figure, page, places) => {
    const found = [measurePicture(figure, page)];
    for (const shares of places) {
      turnTo(figure, shares);
      found.push(measurePicture(figure, page));
    }
    return found;
  };

  // How much a text's own transform enlarges it.
  function textScale(text) {
    const own = text.transform.baseVal.consolidate();
    let scale = own ? Math.hypot(own.matrix.a, own.matrix.b) : 1;
    for (let at = text.parentElement; at && at.tagName !== "svg"; at = at.parentElement) {
      const matrix = at.transform?.baseVal.consolidate()?.matrix;
      if (matrix) scale *= Math.hypot(matrix.a, matrix.b);
    }
    return scale;
  }
}
