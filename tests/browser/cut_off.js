// What of a page is cut off: it stands out to the right, and nothing around it can be scrolled to it.
() => {
    const width = document.documentElement.clientWidth;
    const outside = element => element.getBoundingClientRect().right > width + 1;
    const scrolls = element =>
        element && (/auto|scroll/.test(getComputedStyle(element).overflowX) || scrolls(element.parentElement));
    return [...document.querySelectorAll(".bd-article *:not(.headerlink)")]
        .filter(element => element.checkVisibility() && outside(element) && !scrolls(element))
        .map(element => `${element.tagName}: ${element.textContent.trim().slice(0, 40)}`);
}
