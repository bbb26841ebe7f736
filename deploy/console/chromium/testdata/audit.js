// A function that returns what is wrong with the page for a person: a line for each fault.
() => {
	const faults = [];
	const shown = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true });
	const name = (e) => {
		const text = (e.textContent || e.name || "").trim().replace(/\s+/g, " ").slice(0, 40);
		return `<${e.localName}${e.id ? "#" + e.id : ""}> "${text}"`;
	};

	if (!document.documentElement.lang) faults.push("the page has no lang");
	if (!document.title.trim()) faults.push("the page has no title");
	const first = document.querySelectorAll("h1");
	if (first.length !== 1) faults.push(`the page has ${first.length} <h1>`);
	if (document.querySelectorAll("main").length !== 1) faults.push("the page has no single <main>");

	let level = 0;
	for (const heading of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
		const next = Number(heading.localName[1]);
		if (next > level + 1) faults.push(`${name(heading)} follows a heading of level ${level}`);
		level = next;
	}
	const ids = new Set();
	for (const e of document.querySelectorAll("[id]")) {
		if (ids.has(e.id)) faults.push(`two elements have the id ${e.id}`);
		ids.add(e.id);
	}
	for (const table of document.querySelectorAll("table")) {
		if (!table.querySelector("th")) faults.push(`${name(table)} has no <th>`);
	}
	for (const image of document.querySelectorAll("svg, img")) {
		const hidden = image.closest("[aria-hidden=true]");
		const text = image.getAttribute("aria-label") || image.getAttribute("aria-labelledby") ||
			image.getAttribute("alt") || image.querySelector(":scope > title")?.textContent;
		if (!hidden && !text) faults.push(`${name(image)} has no text in its place`);
		if (!hidden && image.localName === "svg" && image.getAttribute("role") !== "img") {
			faults.push(`${name(image)} has not the role img`);
		}
	}

	// The width: a part may be scrolled by itself, the page may not.
	const room = document.documentElement.clientWidth;
	if (document.documentElement.scrollWidth > room) {
		const wide = [...document.querySelectorAll("body *")].filter((e) => {
			for (let p = e.parentElement; p; p = p.parentElement) {
				if (["auto", "scroll", "hidden"].includes(getComputedStyle(p).overflowX)) return false;
			}
			return shown(e) && e.getBoundingClientRect().right > room + 0.5;
		});
		faults.push(`the page is ${document.documentElement.scrollWidth} wide in ${room}: ` +
			wide.slice(0, 3).map(name).join(", "));
	}

	// The contrast, as WCAG 2 computes it. A canvas turns any notation of a color into bytes.
	const canvas = document.createElement("canvas");
	canvas.width = canvas.height = 1;
	const paint = canvas.getContext("2d", { willReadFrequently: true });
	const bytes = (color) => {
		paint.clearRect(0, 0, 1, 1);
		paint.fillStyle = color;
		paint.fillRect(0, 0, 1, 1);
		const [r, g, b, a] = paint.getImageData(0, 0, 1, 1).data;
		return [r, g, b, a / 255];
	};
	const over = ([r, g, b, a], [R, G, B]) =>
		[r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
	const luminance = (color) => {
		const [r, g, b] = color.slice(0, 3).map((c) => {
			c /= 255;
			return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
		});
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const behind = (e) => {
		const layers = [];
		for (let p = e; p; p = p.parentElement) layers.push(bytes(getComputedStyle(p).backgroundColor));
		// Behind the page is the canvas of the scheme of colors.
		const scheme = getComputedStyle(document.documentElement).colorScheme;
		const dark = matchMedia("(prefers-color-scheme: dark)").matches && scheme.includes("dark");
		return layers.reduceRight((under, layer) => over(layer, under),
			dark ? [18, 18, 18, 1] : [255, 255, 255, 1]);
	};
	const told = new Set();
	const contrast = (ink, ground) => {
		const [light, dim] = [luminance(over(ink, ground)), luminance(ground)].sort((a, b) => b - a);
		return (light + 0.05) / (dim + 0.05);
	};
	for (const e of document.querySelectorAll("[placeholder]")) {
		const style = getComputedStyle(e, "::placeholder");
		const ink = bytes(style.color);
		ink[3] *= Number(style.opacity);
		const ratio = contrast(ink, behind(e));
		if (ratio < 4.5 && shown(e)) faults.push(`the placeholder of ${name(e)} has the contrast ${ratio.toFixed(2)}`);
	}
	const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (texts.nextNode()) {
		const e = texts.currentNode.parentElement;
		if (!texts.currentNode.data.trim() || !shown(e) || e.closest(":disabled, svg[aria-hidden=true]")) continue;
		if (["script", "style", "title", "option"].includes(e.localName)) continue;
		const style = getComputedStyle(e);
		const ink = bytes(e.closest("svg") ? style.fill : style.color);
		for (let p = e; p; p = p.parentElement) ink[3] *= Number(getComputedStyle(p).opacity);
		const ratio = contrast(ink, behind(e));
		if (ratio < 4.5 && !told.has(e.className + e.localName)) {
			told.add(e.className + e.localName);
			faults.push(`${name(e)} of class "${e.getAttribute("class") || ""}" has the contrast ${ratio.toFixed(2)}`);
		}
	}
	return faults;
}
