// A field that takes a picture: by drag and drop, or by choosing a file.
import { html, useEffect, useState } from "../preact.js";
import { config } from "../session.js";

const MEGABYTE = 1024 * 1024;
const images = config.media_types.filter((type) => type.startsWith("image/"));

// What is wrong with a file as a picture, or null.
export function refusal(file) {
  if (!images.includes(file.type)) return `This is no picture that can be minted: take ${images.map((type) => type.slice(6)).join(", ")}.`;
  if (file.size > config.upload_bytes) return `The picture has more than ${Math.floor(config.upload_bytes / MEGABYTE)} MB.`;
  return null;
}

export function DropZone({ file, onFile, id = null, small = false }) {
  const [over, setOver] = useState(false);
  const [url, setUrl] = useState(null);
  useEffect(() => {
    if (file === null) return undefined;
    const made = URL.createObjectURL(file);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [file]);
  const dropped = (event) => {
    event.preventDefault();
    setOver(false);
    if (event.dataTransfer.files.length) onFile(event.dataTransfer.files[0]);
  };
  return html`<div class=${`drop ${over ? "over" : ""} ${small ? "file" : ""}`} onDragOver=${(event) => { event.preventDefault(); setOver(true); }}
      onDragLeave=${() => setOver(false)} onDrop=${dropped}>
    ${file !== null && url !== null
      ? html`<img src=${url} alt="Preview of the picture" />`
      : html`<p><strong>Drop a picture here</strong>or choose a file: PNG, JPEG, GIF, WebP or AVIF</p>`}
    <input id=${id} type="file" accept=${images.join(",")} aria-label=${id === null ? "Picture" : null}
      onChange=${(event) => event.target.files.length && onFile(event.target.files[0])} />
  </div>`;
}
