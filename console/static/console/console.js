// Keeps the polled pages honest: relative times, the tab's title, and a mark when the numbers are old.
(function () {
    "use strict";

    var STALE_AFTER = 4000; // milliseconds without an answer
    var lastAnswer = Date.now();
    var signedOut = false;
    var plainTitle = null;
    var announced = null;

    function ago(iso) {
        var seconds = Math.max(0, Math.round((Date.now() - Date.parse(iso)) / 1000));
        if (seconds < 60) { return seconds + " s ago"; }
        if (seconds < 3600) { return Math.floor(seconds / 60) + " min ago"; }
        if (seconds < 172800) { return Math.floor(seconds / 3600) + " h ago"; }
        return Math.floor(seconds / 86400) + " days ago";
    }

    function showTimes() {
        document.querySelectorAll("time[data-relative]").forEach(function (time) {
            var text = ago(time.dateTime);
            if (time.textContent !== text) { time.textContent = text; }
        });
    }

    function announce(text) {
        var place = document.getElementById("hf-announce");
        if (!place) {
            place = document.createElement("p");
            place.id = "hf-announce";
            place.className = "hf-unseen";
            place.setAttribute("role", "status");
            document.body.appendChild(place);
        }
        place.textContent = text;
    }

    function showTitle() {
        var banner = document.getElementById("hf-banner");
        if (!banner) { return; }
        if (plainTitle === null) { plainTitle = document.title.trim(); }
        var word = banner.dataset.title;
        var title = (word ? word + " – " : "") + plainTitle;
        if (document.title !== title) { document.title = title; }
        // Only a change of state is read out, not every number.
        if (announced !== null && announced !== word) { announce(banner.dataset.text); }
        announced = word;
    }

    function showStale() {
        var banner = document.getElementById("hf-banner");
        if (!banner) { return; }
        var old = Date.now() - lastAnswer;
        var mark = document.getElementById("hf-stale");
        if (old < STALE_AFTER && !signedOut) {
            if (mark) { mark.remove(); document.body.classList.remove("hf-is-stale"); announce("Connected again."); }
            return;
        }
        if (!mark) {
            mark = document.createElement("p");
            mark.id = "hf-stale";
            mark.className = "hf-stale";
            mark.setAttribute("role", "alert");
            banner.parentNode.insertBefore(mark, banner);
            document.body.classList.add("hf-is-stale");
        }
        mark.textContent = signedOut
            ? "You are signed out: these numbers are old. Reload the page to sign in again."
            : "Connection lost: these numbers are " + Math.round(old / 1000) + " s old. Trying again every second.";
    }

    document.addEventListener("htmx:afterRequest", function (event) {
        var request = event.detail.xhr;
        var path = event.detail.pathInfo;
        if (!request || !path || path.requestPath.indexOf("/live/") < 0) { return; }
        signedOut = request.status === 401;
        if (request.status === 200 || request.status === 204) {
            lastAnswer = Date.now();
            var at = request.getResponseHeader("X-As-Of");
            var clock = document.querySelector("#hf-banner .hf-clock");
            if (at && clock) { clock.dateTime = at; clock.textContent = at.slice(11, 19); }
        }
        tick();
    });

    // A button that is being waited for says so and cannot be pressed twice.
    document.addEventListener("submit", function (event) {
        var form = event.target;
        if (!form.dataset || !form.dataset.busy) { return; }
        var button = event.submitter || form.querySelector("button");
        if (!button) { return; }
        setTimeout(function () {
            button.disabled = true;
            button.setAttribute("aria-busy", "true");
            button.textContent = form.dataset.busy;
        }, 0);
    });

    // What is pressed while the server does not answer would end on the browser's own page: say so first, and let a
    // second press through.
    document.addEventListener("submit", function (event) {
        var form = event.target;
        if (form.method !== "post" || !document.body.classList.contains("hf-is-stale") || form.dataset.warned) { return; }
        event.preventDefault();
        event.stopImmediatePropagation();
        form.dataset.warned = "yes";
        var note = document.createElement("p");
        note.className = "hf-note hf-note-warning hf-whole";
        note.setAttribute("role", "alert");
        note.textContent = signedOut
            ? "Nothing was sent: you are signed out. Reload the page, sign in, and press again."
            : "Nothing was sent: there is no connection just now. Wait until the numbers are fresh, or press again to try.";
        form.appendChild(note);
    }, true);

    // Instants are told in UTC; beside it, what that is where the reader sits.
    var UTC = /(?:(\d{4}-\d\d-\d\d) )?(\d\d:\d\d)(:\d\d)? UTC(?! \()/g;
    function showHere() {
        var banner = document.getElementById("hf-banner");
        if (!banner || new Date().getTimezoneOffset() === 0) { return; }
        var today = banner.dataset.at.slice(0, 10);
        document.querySelectorAll(".hf-sentence strong, .hf-live-breaker time, #live-pauses span").forEach(function (place) {
            place.childNodes.forEach(function (node) {
                if (node.nodeType !== Node.TEXT_NODE) { return; }
                var told = node.data.replace(UTC, function (all, day, minutes, seconds) {
                    var at = new Date((day || today) + "T" + minutes + (seconds || ":00") + "Z");
                    var here = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
                    return all + " (" + here + " here)";
                });
                if (told !== node.data) { node.data = told; }
            });
        });
    }

    // The last step unfolds when its turn comes: nothing above it moves. Once; who folds it again keeps it folded.
    function showTurn() {
        var resume = document.getElementById("resume");
        if (resume && resume.tagName === "DETAILS" && !resume.dataset.shown && resume.querySelector(".hf-step .hf-busy")) {
            resume.dataset.shown = "yes";
            resume.open = true;
        }
    }

    function tick() { showTimes(); showTitle(); showStale(); showHere(); showTurn(); }

    document.addEventListener("DOMContentLoaded", function () {
        // Unfold's script expects its own markup around every file input; this keeps it away from ours.
        document.querySelectorAll(".hf-step input[type=file]").forEach(function (input) { input.hasChangeListener = true; });
        // Unfold marks no main landmark: without one a screen reader has to pass the whole sidebar.
        var content = document.getElementById("content");
        if (content) { content.setAttribute("role", "main"); }
        // The poll must neither pile up behind a dead server nor wait for ever for one that hangs.
        if (window.htmx) { window.htmx.config.timeout = 3000; }
        tick();
        setInterval(tick, 1000);
    });
    document.addEventListener("htmx:afterSettle", tick);
})();
