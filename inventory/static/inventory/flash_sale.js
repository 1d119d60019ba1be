// Draws how a flash sale goes, and asks for news every two seconds while it runs.
"use strict";
(() => {
  const root = document.getElementById("flash-sale");
  const first = JSON.parse(document.getElementById("sale-progress").textContent);
  const canvas = root.querySelector("canvas");
  const isDark = document.documentElement.classList.contains("dark");
  const ink = isDark ? "#d1d5db" : "#4b5563";
  const lines = isDark ? "rgba(255,255,255,.12)" : "rgba(0,0,0,.1)";
  let chart = null;

  const show = (name, value) => {
    for (const place of root.querySelectorAll(`[data-show="${name}"]`)) place.textContent = value;
  };
  const label = (progress, step) => {
    const at = new Date(new Date(progress.began_at).getTime() + step * progress.step_seconds * 1000);
    const text = at.toISOString();
    return progress.step_seconds < 3600 ? text.slice(11, 19) : text.slice(5, 16).replace("T", " ");
  };

  const draw = (progress) => {
    for (const name of ["sold", "held", "left", "units", "waiting", "admitted", "refused"]) {
      show(name, progress[name] === null ? "–" : progress[name].toLocaleString("en-GB"));
    }
    show("state", progress.state.replace("_", " "));
    root.querySelector(".sale-state").dataset.state = progress.state;
    root.querySelector(".sale-bar-sold").style.width = `${(100 * progress.sold) / progress.units}%`;
    root.querySelector(".sale-bar-held").style.width = `${(100 * progress.held) / progress.units}%`;
    root.querySelector(".sale-bar").setAttribute("aria-valuenow", progress.sold + progress.held);
    const isEmpty = !progress.pace.some((units) => units > 0);
    root.querySelector(".sale-empty").hidden = !isEmpty;
    canvas.style.visibility = isEmpty ? "hidden" : "visible";
    const labels = progress.pace.map((_, step) => label(progress, step));
    if (chart) {
      chart.data.labels = labels;
      chart.data.datasets[0].data = progress.pace;
      chart.update("none");
      return;
    }
    chart = new Chart(canvas, {
      type: "bar",
      data: {
        labels,
        datasets: [{ data: progress.pace, backgroundColor: "#9333ea", barPercentage: 1, categoryPercentage: 0.9 }],
      },
      options: {
        animation: false,
        responsive: true,
        maintainAspectRatio: false,
        plugins: { legend: { display: false } },
        scales: {
          x: { ticks: { color: ink, maxRotation: 0, autoSkipPadding: 16 }, grid: { display: false } },
          y: { beginAtZero: true, ticks: { color: ink }, grid: { color: lines } },
        },
      },
    });
  };

  const ask = async () => {
    let isGoingOn = true;
    try {
      const answer = await fetch(root.dataset.progressUrl, { credentials: "same-origin" });
      if (!answer.ok || answer.redirected) throw new Error(answer.status);
      const progress = await answer.json();
      draw(progress);
      isGoingOn = progress.state !== "ended";
      show("news", isGoingOn ? `As of ${new Date().toISOString().slice(11, 19)} UTC` : "The sale has ended.");
    } catch {
      show("news", "No news from the shop. Trying again.");
    }
    if (isGoingOn) setTimeout(ask, document.hidden ? 10000 : 2000);
  };

  draw(first);
  if (first.state !== "ended") setTimeout(ask, 2000);
})();
