// The level of detail, computed here because drivers differ in theirs. A hit stores that of a texture of one texel.
#ifdef UNIT_LEVEL
// By the area that a pixel covers in texture coordinates.
float unit_level(vec2 uv) {
    vec2 right = dFdx(uv), up = dFdy(uv);
    return 0.5 * log2(max(abs(right.x * up.y - right.y * up.x), 1e-9));
}
#endif

// Of a texture of ``size`` texels.
float texture_level(float unit, vec2 size) {
    return unit + 0.5 * log2(size.x * size.y);
}
