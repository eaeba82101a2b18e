// The picture, stretched over a part of the window, over a pattern where it is transparent.
uniform sampler2D u_picture;  // premultiplied
uniform vec4 u_box;           // left, bottom, width, height: pixels
uniform int u_pattern;        // 0: plain, 1: checker, 2: gradient
uniform vec3 u_background;    // the colour that the pattern is made of
uniform float u_square;       // of the checker: pixels
uniform float u_exposure;     // a factor

out vec4 o_color;

void main() {
    vec2 place = (gl_FragCoord.xy - u_box.xy) / u_box.zw;
    vec4 color = texture(u_picture, place);
    vec3 behind = u_background;
    if (u_pattern == 1) {
        ivec2 square = ivec2(floor((gl_FragCoord.xy - u_box.xy) / u_square));
        behind = mix(u_background, vec3(0.5), ((square.x + square.y) & 1) == 0 ? 0.1 : 0.3);
    } else if (u_pattern == 2)
        behind = u_background * mix(0.35, 1.0, place.y);
    color.rgb = u_exposure * color.rgb + (1.0 - color.a) * behind;
    o_color = vec4(color.rgb, 1.0);
}
