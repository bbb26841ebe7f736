// An open page says when it hears of no changes. htmx reads the changes from the server and connects
// again by itself; a connection that is cut without a word has no event, so silence counts too.
(() => {
	const silenceMax = 20000; // the server gives a sign of life every five seconds
	const notice = document.getElementById("lost");
	let heard = Date.now(); // when the page last heard of the server
	let shown = heard; // when the page last became visible

	const hear = () => {
		heard = Date.now();
		notice.hidden = true;
	};
	const lose = () => {
		if (!notice.hidden) return;
		const since = new Date(heard).toISOString();
		const time = notice.querySelector("time");
		time.dateTime = since;
		time.textContent = since.slice(0, 19).replace("T", " ") + "Z";
		notice.hidden = false;
	};
	document.addEventListener("htmx:sse:after:connection", hear);
	document.addEventListener("htmx:sse:after:message", hear);
	document.addEventListener("htmx:sse:error", lose);
	document.addEventListener("htmx:sse:close", lose);
	document.addEventListener("visibilitychange", () => {
		shown = Date.now();
	});
	setInterval(() => {
		if (!document.hidden && Date.now() - Math.max(heard, shown) > silenceMax) lose();
	}, 1000);
})();
