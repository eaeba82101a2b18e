// Mip level of a texture lookup, in GLSL because drivers compute it differently.
// A hit stores the level for a texture of 1 x 1 texels.
#ifdef UNIT_LEVEL
// The level for 1 x 1 texels, from the area of a pixel in texture coordinates.
float unit_level(vec2 uv) {
    vec2 right = dFdx(uv), up = dFdy(uv);
    return 0.5 * log2(max(abs(right.x * up.y - right.y * up.x), 1e-9));
}
#endif

// The level for a texture of ``size`` texels.
float texture_level(float unit, vec2 size) {
    return unit + 0.5 * log2(size.x * size.y);
}
