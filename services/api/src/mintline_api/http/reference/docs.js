"use strict";
// A problem's type URI is /docs#its-code, and an operation is reached by its id too.
function follow(anchor, operations) {
  if (anchor === "" || anchor.includes("/")) return;
  if (operations.includes(anchor)) location.hash = `operation/${anchor}`;
  else location.replace(`docs/problems#${anchor}`);
}

async function show() {
  const response = await fetch("openapi.json");
  const document_ = await response.json();
  const operations = Object.values(document_.paths).flatMap(Object.values).map((item) => item.operationId);
  const lead = () => follow(location.hash.slice(1), operations);
  lead();
  addEventListener("hashchange", lead);
  const options = {
    downloadUrls: [{ title: "OpenAPI 3.1", url: "openapi.json" }],
    expandResponses: "200,201,202",
    nativeScrollbars: true,
    sortRequiredPropsFirst: true,
  };
  Redoc.init(document_, options, document.getElementById("reference"));
}

show();
