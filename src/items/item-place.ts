/** Separates an item's key from the route name. Keys never contain it: they have no control characters. */
const separator = '\u001f'

/** The name under which the state stores this item of a route; the key itself without routes. */
export function itemPlace(key: string, route: string | undefined): string {
  return route === undefined ? key : `${key}${separator}${route}`
}

/** The key in a place. */
export function keyOfPlace(place: string, route: string | undefined): string {
  return route === undefined ? place : place.slice(0, place.length - separator.length - route.length)
}

/** The route of a place; undefined if there is none. */
export function routeOfPlace(place: string): string | undefined {
  const index = place.indexOf(separator)
  return index < 0 ? undefined : place.slice(index + separator.length)
}

/** Whether a place belongs to this route; undefined for those without one. */
export function isPlaceAt(place: string, route: string | undefined): boolean {
  return route === undefined ? !place.includes(separator) : place.endsWith(`${separator}${route}`)
}
