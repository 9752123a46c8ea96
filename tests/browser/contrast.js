// The texts of a page that stand out too little from their ground: each with its ratio, which
// WCAG 2.1 (1.4.3) wants to be 4.5, or 3 for large letters.
() => {
    const numbers = colour => {
        const found = colour.match(/[\d.]+/g).map(Number);
        return [found[0], found[1], found[2], found[3] ?? 1];
    };
    const light = value => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    const luminance = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
    const over = (top, ground) => [0, 1, 2].map(i => top[i] * top[3] + ground[i] * (1 - top[3])).concat(1);
    const groundOf = element => {
        const layers = [];
        for (let e = element; e && layers.at(-1)?.[3] !== 1; e = e.parentElement)
            layers.push(numbers(getComputedStyle(e).backgroundColor));
        return layers.reverse().reduce((ground, layer) => over(layer, ground), [255, 255, 255, 1]);
    };
    const faint = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const text = walk.currentNode.textContent.trim(), element = walk.currentNode.parentElement;
        const seen = element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
        if (!text || !seen || ["SCRIPT", "STYLE", "NOSCRIPT"].includes(element.tagName)) continue;
        const style = getComputedStyle(element), ground = groundOf(element);
        const [one, other] = [luminance(over(numbers(style.color), ground)), luminance(ground)];
        const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        const size = parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
        if (ratio < (large ? 3 : 4.5)) faint.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)}`);
    }
    return faint;
}
