// Functions to walk through a page with the key Tab.
({
	// controls keeps the elements that a person must reach, and returns how many there are.
	controls() {
		const all = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]";
		const groups = new Set();
		window.auditControls = [];
		for (const e of document.querySelectorAll(all)) {
			if (e.matches(":disabled, [tabindex='-1']")) continue;
			if (!e.checkVisibility({ visibilityProperty: true })) continue;
			if (e.type === "radio") { // Tab reaches one of a group, and the arrow keys the others
				const group = e.form?.id + "/" + e.name;
				const all = [...document.getElementsByName(e.name)];
				if (groups.has(group) || (all.some((r) => r.checked) && !e.checked)) continue;
				groups.add(group);
			}
			window.auditControls.push(e);
		}
		return window.auditControls.length;
	},
	// focused returns the number of the element with the focus, and whether the focus is seen.
	focused() {
		const e = document.activeElement;
		if (!e || e === document.body) return { number: -1, seen: true, what: "the page" };
		const s = getComputedStyle(e);
		const outlined = s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0;
		const r = e.getBoundingClientRect();
		const inside = r.bottom > 0 && r.top < innerHeight && r.width > 0;
		return {
			number: window.auditControls.indexOf(e) < 0 ? -2 : window.auditControls.indexOf(e),
			seen: inside && (outlined || s.boxShadow !== "none"),
			what: `<${e.localName}> "${(e.textContent || e.name || "").trim().slice(0, 40)}"`,
		};
	},
	// html returns the beginning of a control, "" if the page has it no more.
	html(number) {
		const e = window.auditControls[number];
		return e.isConnected ? e.outerHTML.slice(0, 200) : "";
	},
})
