/** The address of something of the CRM at `base`, which may stand under a path, for either kind of scheme. */
export function address(base: string | URL, path: string, scheme: 'http' | 'ws'): URL {
  const url = new URL(base);
  const secure = { 'http:': '', 'ws:': '', 'https:': 's', 'wss:': 's' }[url.protocol];
  if (secure === undefined) throw new TypeError(`\`${url.href}\` is no address of a CRM: give https://...`);
  // The setter of `protocol` may refuse a change to another scheme.
  const place = `${scheme}${secure}://${url.host}${url.pathname.replace(/\/+$/, '')}/${path}`;
  return new URL(place);
}
