() => {
  const LIGHT = @@light@@, INK = "@@ink@@", PAPER = "@@paper@@"; // the colours of light mode, which suit slides
  const SCALE = 3; // pixels of a PNG file per pixel of the SVG

  const save = (blob, title, kind) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${title.toLowerCase().replace(/[^a-z0-9.]+/g, "-").replace(/^-|-$/g, "")}.${kind}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };

  // a chart as a file of its own: on white, with colours and fonts that need no style sheet
  const standalone = svg => {
    const copy = svg.cloneNode(true), [, , width, height] = copy.getAttribute("viewBox").split(" ");
    const paper = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    for (const [name, value] of Object.entries({ width, height, fill: PAPER })) paper.setAttribute(name, value);
    copy.prepend(paper);
    for (const part of copy.querySelectorAll("*")) {
      const colour = LIGHT[part.getAttribute("class")?.match(/^curve(\d)$/)?.[1]];
      const isOurs = part.tagName === "circle" || part.getAttribute("class") === "front";
      for (const name of ["fill", "stroke"]) {
        if (part.getAttribute(name) === "currentColor") part.setAttribute(name, colour ?? (isOurs ? LIGHT[0] : INK));
      }
      part.removeAttribute("class");
    }
    const look = { xmlns: "http://www.w3.org/2000/svg", width, height, "font-family": "system-ui, sans-serif" };
    for (const [name, value] of Object.entries(look)) copy.setAttribute(name, value);
    return { text: new XMLSerializer().serializeToString(copy), width, height };
  };

  const rendered = async ({ text, width, height }) => {
    const image = new Image(), canvas = document.createElement("canvas");
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
    await image.decode();
    canvas.width = SCALE * width;
    canvas.height = SCALE * height;
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    return new Promise(resolve => canvas.toBlob(resolve));
  };

  const csv = rows => rows.map(row => row.map(cell => /[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell).join(","));
  const markdown = rows => [rows[0], rows[0].map(() => "---"), ...rows.slice(1)].map(row => `| ${row.join(" | ")} |`);

  document.addEventListener("click", async ({ target }) => {
    const kind = target.dataset?.save, place = target.closest?.(".plot, .with-files");
    if (!kind || !place) return;
    const svg = place.querySelector("svg");
    if (svg) {
      const picture = standalone(svg);
      save(kind === "svg" ? new Blob([picture.text], { type: "image/svg+xml" }) : await rendered(picture), svg.ariaLabel, kind);
      return;
    }
    const title = place.querySelector(".measured").ariaLabel, notes = place.querySelector(".notes")?.textContent;
    const rows = [...place.querySelectorAll("tr")].map(row => [...row.cells].map(cell => cell.textContent));
    const text = kind === "csv" ? csv(rows) : [`**${title}**`, "", ...markdown(rows), ...(notes ? ["", notes] : [])];
    save(new Blob([`${text.join("\n")}\n`], { type: "text/plain" }), title, kind === "csv" ? "csv" : "md");
  });
}
