"use strict";

const renewed = 15000;

// The token may come behind `#`, which a browser sends to nobody.
async function enter(token) {
  history.replaceState(null, "", "/");
  const body = new URLSearchParams({ token });
  await fetch("/login", { method: "POST", body, redirect: "manual" });
  location.replace("/");
}

async function renew() {
  const answer = await fetch("/").catch(() => null);
  if (answer === null) return;
  if (!answer.ok) return location.replace("/");
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const name of ["header", "main", "footer"]) {
    document.querySelector(name).replaceWith(page.querySelector(name));
  }
}

if (location.hash.length > 1) {
  enter(decodeURIComponent(location.hash.slice(1)));
} else if (document.getElementById("status")) {
  setInterval(() => document.hidden || renew(), renewed);
}
