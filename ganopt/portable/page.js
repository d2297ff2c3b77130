// The page of one model: a face for a place between four corners, drawn by a worker that runs draw.js.
"use strict";

const find = selector => document.querySelector(selector);
const bytesOf = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0)).buffer;

const model = JSON.parse(find("#model").textContent);
const latents = new Float32Array(bytesOf(model.latents)), size = latents.length / model.seeds.length;
const area = find("#area"), canvas = find("canvas"), context = canvas.getContext("2d");
canvas.width = canvas.height = model.side;

const code = new Blob([find("#drawing").textContent], { type: "text/javascript" });
const worker = new Worker(URL.createObjectURL(code));
const waiting = []; // for pictures, in the order in which they were asked for
worker.onmessage = ({ data }) => waiting.shift()(data);
worker.postMessage({ side: model.side, steps: model.steps, tensors: model.tensors, bytes: bytesOf(model.bytes) });
const draw = z => new Promise(resolve => { waiting.push(resolve); worker.postMessage({ z }); });

let corners = [0, 1, 2, 3]; // places in model.seeds: upper left, upper right, lower left, lower right
let place = { x: 0.5, y: 0.5 };
let walking = null; // the time at which the walk began, less that of earlier ones
let walked = 0;
let isBusy = false, isStale = true, isVisible = true;
const shown = []; // times of the faces of the last second

const latentOf = index => latents.subarray(index * size, (index + 1) * size);

// a bilinear mean of latents, divided by the norm of its weights, which keeps it standard normal, as on the map of faces
const latentAt = ({ x, y }) => {
  const shares = [(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y], norm = Math.hypot(...shares), z = new Float32Array(size);
  corners.forEach((corner, index) => latentOf(corner).forEach((value, i) => { z[i] += value * shares[index] / norm; }));
  return z;
};

const say = milliseconds => {
  const now = performance.now();
  shown.push(now);
  while (now - shown[0] > 1000) shown.shift();
  if (shown.length < 5 || now - say.last < 500) return;
  say.last = now;
  const speed = 1000 * (shown.length - 1) / (now - shown[0]);
  find("#said").textContent = `${speed.toFixed(0)} faces a second, ${milliseconds.toFixed(1)} ms each, in this browser.`;
};
say.last = 0;

const step = async () => {
  if (!isVisible) return;
  if (walking !== null) {
    walked = performance.now() - walking;
    move(0.5 - 0.5 * Math.cos(walked / 1700), 0.5 - 0.5 * Math.cos(walked / 2700 + 1));
  }
  if (isStale && !isBusy) {
    isBusy = true;
    isStale = false;
    const { pixels, milliseconds } = await draw(latentAt(place));
    context.putImageData(new ImageData(pixels, model.side), 0, 0);
    say(milliseconds);
    isBusy = false;
  }
  if (walking !== null || isStale) schedule();
};
let isScheduled = false;
const schedule = () => {
  if (isScheduled) return;
  isScheduled = true;
  requestAnimationFrame(() => { isScheduled = false; step(); });
};

const move = (x, y) => {
  place = { x: Math.min(Math.max(x, 0), 1), y: Math.min(Math.max(y, 0), 1) };
  find("#here").style.left = `${100 * place.x}%`;
  find("#here").style.top = `${100 * place.y}%`;
  area.ariaValueNow = Math.round(100 * place.x);
  area.ariaValueText = `${Math.round(100 * place.x)} % from the left, ${Math.round(100 * place.y)} % from the top`;
  isStale = true;
  schedule();
};

const walk = on => {
  walking = on ? performance.now() - walked : null;
  find("#walk").ariaPressed = on;
  find("#walk").textContent = on ? "Pause" : "Walk by itself";
  schedule();
};

const nameCorners = () => document.querySelectorAll("[data-corner]").forEach(button => {
  button.textContent = `seed ${model.seeds[corners[button.dataset.corner]]}`;
  button.onclick = () => { walk(false); move(button.dataset.corner % 2, Math.floor(button.dataset.corner / 2)); };
});

const follow = ({ clientX, clientY }) => {
  const { left, top, width, height } = area.getBoundingClientRect();
  if (walking !== null) walk(false);
  move((clientX - left) / width, (clientY - top) / height);
};
area.onpointermove = area.onpointerdown = follow;
area.onkeydown = event => {
  const { x, y } = place, far = event.shiftKey ? 0.2 : 0.02;
  const to = {
    ArrowLeft: [x - far, y], ArrowRight: [x + far, y], ArrowUp: [x, y - far], ArrowDown: [x, y + far],
    Home: [0, y], End: [1, y], PageUp: [x, y - 0.2], PageDown: [x, y + 0.2],
  }[event.key];
  if (!to) return;
  event.preventDefault();
  if (walking !== null) walk(false);
  move(...to);
};
find("#walk").onclick = () => walk(walking === null);
find("#others").onclick = () => {
  const left = model.seeds.map((_, index) => index);
  corners = corners.map(() => left.splice(Math.floor(Math.random() * left.length), 1)[0]);
  nameCorners();
  move(place.x, place.y);
};
find("#save").onclick = () => canvas.toBlob(blob => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${model.name}-face.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});

nameCorners();
move(0.5, 0.5);
new IntersectionObserver(([{ isIntersecting }]) => { isVisible = isIntersecting; schedule(); }).observe(area);
const frame = (() => { try { return window.frameElement; } catch { return null; } })(); // on a page of ganopt
if (frame) new ResizeObserver(() => { frame.style.height = `${Math.ceil(find("main").getBoundingClientRect().height)}px`; })
  .observe(find("main"));
if (!matchMedia("(prefers-reduced-motion: reduce)").matches) walk(true);
