// Keys on the page of mails to read: j and k move, a approves, e edits, r rejects. All of it works without them.
(function () {
    "use strict";

    var mails = Array.prototype.slice.call(document.querySelectorAll(".hf-waiting"));
    var at = -1;

    function go(to) {
        if (to < 0 || to >= mails.length) { return; }
        at = to;
        mails[at].focus();
        mails[at].scrollIntoView({ block: "start" });
    }

    document.addEventListener("focusin", function (event) {
        var place = mails.findIndex(function (mail) { return mail.contains(event.target); });
        if (place >= 0) { at = place; }
    });

    document.addEventListener("keydown", function (event) {
        if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) { return; }
        if (event.key === "j") { go(at + 1); return; }
        if (event.key === "k") { go(at - 1); return; }
        var mail = mails[Math.max(at, 0)];
        var wanted = mail && ["a", "e", "r"].indexOf(event.key) >= 0 && mail.querySelector("[data-key=" + event.key + "]");
        if (!wanted) { return; }
        event.preventDefault();
        if (wanted.tagName === "DETAILS") {
            wanted.open = true;
            wanted.querySelector("input").focus();
        } else {
            wanted.click();
        }
    });
}());
