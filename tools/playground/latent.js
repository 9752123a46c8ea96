"use strict";
// The arithmetic of codes, as helpers/latent.py has it. A code is an array of numbers.

/** a + times · b */
function added(a, b, times = 1) {
  return a.map((x, i) => x + times * b[i]);
}

function lengthOf(a) {
  return Math.sqrt(a.reduce((sum, x) => sum + x * x, 0));
}

/** The code of that length in the same direction; a code of zeros stays as it is. */
function ofLength(a, length) {
  const own = lengthOf(a);
  return own ? a.map((x) => (x * length) / own) : a;
}

/** The point of the straight line from a to b at the share t. */
function straight(a, b, t) {
  return a.map((x, i) => (1 - t) * x + t * b[i]);
}

/** The point of the arc from a to b at the share t; the length goes evenly from |a| to |b|. */
function spherical(a, b, t) {
  const [from, to] = [ofLength(a, 1), ofLength(b, 1)];
  const cosine = from.reduce((sum, x, i) => sum + x * to[i], 0);
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
  if (angle < 1e-6 || Math.PI - angle < 1e-6) return straight(a, b, t);
  const [p, q] = [Math.sin((1 - t) * angle) / Math.sin(angle), Math.sin(t * angle) / Math.sin(angle)];
  const turned = from.map((x, i) => p * x + q * to[i]);
  const length = (1 - t) * lengthOf(a) + t * lengthOf(b);
  return turned.map((x) => x * length);
}

/** What is to c as a is to b. */
function analogy(a, b, c) {
  return a.map((x, i) => x - b[i] + c[i]);
}

/** A code of n normal numbers (Box and Muller). */
function drawn(n) {
  return Array.from({ length: n }, () =>
    Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random()));
}
