"use strict";
for (const button of document.querySelectorAll(".copy")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1200);
  });
}
document.getElementById("filter").addEventListener("input", (event) => {
  const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = (element) => words.every((word) => element.textContent.toLowerCase().includes(word));
  for (const link of document.querySelectorAll("nav li")) {
    const target = document.getElementById(link.querySelector("a").hash.slice(1));
    link.hidden = !(matches(link) || (target && matches(target)));
  }
  for (const section of document.querySelectorAll("nav section")) {
    section.hidden = ![...section.querySelectorAll("li")].some((link) => !link.hidden);
  }
});
