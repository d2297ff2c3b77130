// Draws the faces of latents: the steps of a generator, see steps.py, one after the other. Runs in a worker.
// A map holds its pixels row by row, each with all its channels, inside a border of zeros one pixel wide.
"use strict";

const BLOCK = 4; // outputs that are summed at once
const sums = new Float64Array(2 * BLOCK);

const newMap = (side, channels) => ({ side, channels, values: new Float64Array((side + 2) ** 2 * channels) });

const half = bits => {
  const exponent = (bits >> 10) & 31, fraction = bits & 1023;
  const size = exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24;
  return bits >> 15 ? -size : size;
};
const readTensor = (bytes, { type, at, length }) => {
  if (type === "float16") return Float64Array.from(new Uint16Array(bytes, at, length), half);
  return Float64Array.from(new (type === "int8" ? Int8Array : Float32Array)(bytes, at, length));
};

// the outputs of a step in blocks, each with its weights in the order of the inner loop, filled up with zeros
const blocksOf = ({ windows, factor, channels }, from, to, [codes, inputs, outputs, biases]) => {
  const count = outputs.length / windows.length; // of one window
  return windows.flatMap(([top, left, height, width], group) => {
    const length = height * width * from.channels;
    return Array.from({ length: Math.ceil(count / BLOCK) }, (_, block) => {
      const weights = new Float64Array(length * BLOCK), bias = new Float64Array(BLOCK), places = [];
      for (let k = 0; k < BLOCK && block * BLOCK + k < count; k++) {
        const one = block * BLOCK + k, output = group * count + one, phase = Math.floor(output / channels);
        for (let i = 0; i < length; i++) {
          weights[i * BLOCK + k] = codes[(group * length + i) * count + one] * inputs[i % from.channels] * outputs[output];
        }
        bias[k] = biases[output];
        places.push((Math.floor(phase / factor) * (to.side + 2) + (phase % factor)) * channels + (output % channels));
      }
      return { weights, bias, places, start: (top * (from.side + 2) + left) * from.channels, height, span: width * from.channels };
    });
  });
};

// two pixels and four outputs at once: eight sums that do not wait for each other, from six numbers read
const convolve = (from, to, factor, least, { weights, bias, places, start, height, span }) => {
  const { side, channels, values } = from, row = (side + 2) * channels, target = to.values;
  const bias0 = bias[0], bias1 = bias[1], bias2 = bias[2], bias3 = bias[3];
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x += 2) {
      let a0 = bias0, a1 = bias1, a2 = bias2, a3 = bias3, b0 = bias0, b1 = bias1, b2 = bias2, b3 = bias3;
      let first = (y + 1) * row + (x + 1) * channels + start, w = 0;
      for (let line = 0; line < height; line++, first += row) {
        for (let i = first; i < first + span; i++, w += BLOCK) {
          const a = values[i], b = values[i + channels];
          const w0 = weights[w], w1 = weights[w + 1], w2 = weights[w + 2], w3 = weights[w + 3];
          a0 += a * w0; a1 += a * w1; a2 += a * w2; a3 += a * w3;
          b0 += b * w0; b1 += b * w1; b2 += b * w2; b3 += b * w3;
        }
      }
      sums[0] = a0; sums[1] = a1; sums[2] = a2; sums[3] = a3; sums[4] = b0; sums[5] = b1; sums[6] = b2; sums[7] = b3;
      const place = ((y * factor + 1) * (to.side + 2) + x * factor + 1) * to.channels;
      for (let k = 0; k < places.length; k++) {
        target[place + places[k]] = Math.max(sums[k], least);
        if (x + 1 < side) target[place + factor * to.channels + places[k]] = Math.max(sums[BLOCK + k], least);
      }
    }
  }
};

const modulate = ({ side, channels, values }, { values: by }) => { // by: 1x1 pixels with a factor, then a shift, a channel
  for (let y = 1; y <= side; y++) {
    for (let i = (y * (side + 2) + 1) * channels, c = 0, end = i + side * channels; i < end; i++, c = (c + 1) % channels) {
      values[i] = Math.max(values[i] * by[8 * channels + c] + by[9 * channels + c], 0);
    }
  }
};

const double = ({ side, channels, values }, to) => {
  const nearAndFar = at => [(at >> 1) + 1, Math.min(Math.max((at >> 1) + (at % 2 ? 2 : 0), 1), side)];
  for (let y = 0; y < 2 * side; y++) {
    const [upper, lower] = nearAndFar(y).map(at => at * (side + 2) * channels);
    for (let x = 0; x < 2 * side; x++) {
      const [near, far] = nearAndFar(x).map(at => at * channels), place = ((y + 1) * (2 * side + 2) + x + 1) * channels;
      for (let c = 0; c < channels; c++) {
        const above = 0.75 * values[upper + near + c] + 0.25 * values[upper + far + c];
        const below = 0.75 * values[lower + near + c] + 0.25 * values[lower + far + c];
        to.values[place + c] = 0.75 * above + 0.25 * below;
      }
    }
  }
};

const prepare = ({ side, steps, tensors, bytes }) => {
  const read = tensors.map(tensor => readTensor(bytes, tensor)), z = newMap(1, read[steps[0].tensors[1]].length), maps = { z };
  const work = steps.map(step => {
    const to = maps[step.to], from = maps[step.from], by = maps[step.by];
    if (step.do === "add") return () => from.values.forEach((value, i) => { to.values[i] += value; });
    if (step.do === "modulate") return () => modulate(to, by);
    if (step.do === "double") {
      const larger = maps[step.to] = newMap(2 * from.side, from.channels);
      return () => double(from, larger);
    }
    const result = maps[step.to] = newMap(from.side * step.factor, step.channels);
    const blocks = blocksOf(step, from, result, step.tensors.map(place => read[place]));
    return () => { for (const block of blocks) convolve(from, result, step.factor, step.relu ? 0 : -Infinity, block); };
  });
  return latent => {
    z.values.set(latent, 4 * z.channels); // the middle of 3x3 pixels
    for (const each of work) each();
    const pixels = new Uint8ClampedArray(4 * side * side).fill(255), { values } = maps.x; // opaque
    for (let y = 0; y < side; y++) {
      for (let x = 0, at = ((y + 1) * (side + 2) + 1) * 3; x < 3 * side; x++) {
        pixels[4 * y * side + x + Math.floor(x / 3)] = (Math.tanh(values[at + x]) + 1) * 127.5; // is rounded
      }
    }
    return pixels;
  };
};

let draw;
onmessage = ({ data }) => {
  if (data.steps) draw = prepare(data);
  else {
    const start = performance.now(), pixels = draw(data.z);
    postMessage({ pixels, milliseconds: performance.now() - start }, [pixels.buffer]);
  }
};
