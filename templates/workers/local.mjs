export async function started() { throw new Error('not written yet'); }
