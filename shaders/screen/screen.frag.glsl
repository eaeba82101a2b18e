// The rendered image, scaled to a part of the window, over a pattern where it is transparent.
//   PATTERN: as Backdrop.number in app/render/passes/screen.py; 0: the image is opaque and only copied.
uniform sampler2D u_picture;  // premultiplied alpha
uniform vec4 u_box;           // left, bottom, width, height in pixels
uniform vec3 u_background;    // base colour of the pattern
uniform float u_square;       // side of a checker square, pixels
uniform float u_exposure;     // factor

out vec4 o_color;

void main() {
    vec2 uv = (gl_FragCoord.xy - u_box.xy) / u_box.zw;
    vec4 color = texture(u_picture, uv);
#if PATTERN > 0
    vec3 background = u_background;
#if PATTERN == 2
    ivec2 square = ivec2(floor((gl_FragCoord.xy - u_box.xy) / u_square));
    background = mix(u_background, vec3(0.5), ((square.x + square.y) & 1) == 0 ? 0.1 : 0.3);
#elif PATTERN == 3
    background = u_background * mix(0.35, 1.0, uv.y);
#endif
    color.rgb = u_exposure * color.rgb + (1.0 - color.a) * background;
#endif
    o_color = vec4(color.rgb, 1.0);
}
