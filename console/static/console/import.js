// The import page: a preview as soon as a file is chosen, then the import with its progress.
(function () {
    "use strict";

    var HEAD = 262144; // bytes that a preview needs
    var form = document.getElementById("import");
    if (!form) { return; }
    // Unfold's script expects its own markup around every file input; this keeps it away from ours.
    form.elements.file.hasChangeListener = true;
    var preview = document.getElementById("import-preview");
    var progress = document.getElementById("import-progress");
    var result = document.getElementById("import-result");
    var buttons = form.querySelectorAll("button");
    var token = form.querySelector("[name=csrfmiddlewaretoken]").value;

    function note(tone, text) {
        var line = document.createElement("p");
        line.className = "hf-note hf-note-" + tone;
        line.textContent = text;
        result.appendChild(line);
        return line;
    }

    function disable(yes) {
        buttons.forEach(function (button) { button.disabled = yes; });
    }

    function show(share, text) {
        progress.hidden = false;
        progress.querySelector("progress").value = share;
        progress.querySelector("span").textContent = text;
    }

    function look() {
        var file = form.elements.file.files[0];
        result.textContent = "";
        disable(true);
        if (!file) { preview.textContent = ""; return; }
        preview.textContent = "Looking at the file…";
        var data = new FormData();
        data.append("file", file.slice(0, HEAD), file.name);
        data.append("encoding", form.elements.encoding.value);
        data.append("delimiter", form.elements.delimiter.value);
        fetch(form.dataset.preview, { method: "POST", body: data, headers: { "X-CSRFToken": token } })
            .then(function (answer) {
                if (!answer.ok) { throw new Error(); }
                return answer.text();
            })
            .then(function (html) {
                preview.innerHTML = html; // our own template, which escapes what is in the file
                disable(Boolean(preview.querySelector("[data-refused]")));
            })
            .catch(function () { preview.textContent = "The preview failed. Reload the page and try again."; });
    }

    function mapping() {
        var chosen = {};
        preview.querySelectorAll("select[data-header]").forEach(function (select) {
            chosen[select.dataset.header] = select.value;
        });
        return JSON.stringify(chosen);
    }

    function finish(report, skipped, dry) {
        var skips = Object.keys(report.skipped).map(function (why) { return report.skipped[why].toLocaleString("en") + " " + why; });
        note("success", report.rows.toLocaleString("en") + " rows: " + report.taken.toLocaleString("en") + (dry ? " would be taken" : " taken") + (skips.length ? ", skipped: " + skips.join(", ") : "") + "." + (dry ? " Nothing was imported." : ""));
        if (report.ignored.length) { note("info", "Ignored columns: " + report.ignored.join(", ")); }
        if (skips.length) {
            var link = document.createElement("a");
            link.href = URL.createObjectURL(new Blob(["\ufeff"].concat(skipped), { type: "text/csv" }));
            link.download = "skipped-rows.csv";
            link.className = "hf-button";
            link.textContent = "Download the skipped rows";
            result.appendChild(link);
        }
    }

    form.elements.file.addEventListener("change", look);
    form.elements.encoding.addEventListener("change", look);
    form.elements.delimiter.addEventListener("change", look);
    if (form.elements.file.files.length) { look(); } // chosen before this script came, or kept over a reload
    form.addEventListener("submit", function (event) {
        event.preventDefault();
        var file = form.elements.file.files[0];
        var table = preview.querySelector("table");
        var data = new FormData(form);
        data.append("mapping", mapping());
        if (event.submitter && event.submitter.name) { data.append(event.submitter.name, event.submitter.value); }
        if (table && table.hasAttribute("data-guessed") && !form.elements.encoding.value) { data.set("encoding", table.dataset.encoding); }
        disable(true);
        result.textContent = "";
        var read = 0;
        var skipped = [];
        var ended = false;
        var request = new XMLHttpRequest();

        function take() {
            var end;
            while ((end = request.responseText.indexOf("\n", read)) >= 0) {
                var step = JSON.parse(request.responseText.slice(read, end));
                read = end + 1;
                if (step.skipped) { skipped.push(step.skipped); }
                if (step.rows) { show(50 + 50 * step.bytes / file.size, step.rows.toLocaleString("en") + " rows read"); }
                if (step.refused) { ended = true; note("error", step.refused); }
                if (step.report) { ended = true; show(100, "Done."); finish(step.report, skipped, step.dry_run); }
            }
        }

        request.open("POST", form.action);
        request.setRequestHeader("X-CSRFToken", token);
        request.upload.onprogress = function (sent) {
            if (sent.lengthComputable) { show(50 * sent.loaded / sent.total, "Uploading…"); }
        };
        request.onprogress = function () { if (request.status === 200) { take(); } };
        request.onloadend = function () {
            if (request.status === 200) { take(); }
            if (!ended) { note("error", "The import broke off (" + (request.status || "no connection") + "). Import the file again: nothing is doubled."); }
            disable(false);
        };
        request.send(data);
    });
})();
